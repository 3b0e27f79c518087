"""What is linked into the programs: a bill of materials (CycloneDX), and the licences' texts.

    python3 .packaging/contents.py TARGET FOLDER

writes FOLDER/sbom.cdx.json and FOLDER/LICENCES.txt from what cargo knows of the locked crates, and
adds libzmq and libsodium, whose source two of these crates carry.
"""

import json
import pathlib
import re
import subprocess
import sys
import tarfile

TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)


def linked(target):
    """The crates that a program has in it, build scripts' and tests' left out."""
    command = [
        "cargo",
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        target,
    ]
    metadata = json.loads(subprocess.check_output(command))
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    root = metadata["resolve"]["root"]
    seen, todo = {root}, [root]
    while todo:
        for dependency in nodes[todo.pop()]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            # zeromq-src is a build dependency of zmq-sys: what it builds is linked all the same.
            carries = packages[dependency["pkg"]]["name"] == "zeromq-src"
            if (None in kinds or carries) and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                todo.append(dependency["pkg"])
    crates = [packages[crate] for crate in seen if crate != root]
    return packages[root], sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def bundled(crates):
    """The C and C++ that crates carry: name, version, licence, its text."""
    folder = {crate["name"]: pathlib.Path(crate["manifest_path"]).parent for crate in crates}
    [zeromq] = [
        crate for crate in crates if crate["name"] == "zeromq-src" and "+" in crate["version"]
    ]
    source = pathlib.Path(zeromq["manifest_path"]).parent / "vendor"
    yield "libzmq", zeromq["version"].split("+")[1], "MPL-2.0", (source / "LICENSE").read_text()
    with tarfile.open(folder["libsodium-sys-stable"] / "LATEST.tar.gz") as archive:
        name = next(name for name in archive.getnames() if name.endswith("/LICENSE"))
        text = archive.extractfile(name).read().decode()
        configure = next(name for name in archive.getnames() if name.endswith("/configure.ac"))
        settings = archive.extractfile(configure).read().decode()
    version = re.search(r"AC_INIT\(\[libsodium\],\[([^]]+)\]", settings).group(1)
    yield "libsodium", version, "ISC", text


def component(name, version, licence, purl):
    entry = {"type": "library", "name": name, "version": version, "purl": purl}
    return entry | {"licenses": [{"expression": licence.replace("/", " OR ")}]}


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    root, crates = linked(target)
    parts = [
        component(
            crate["name"],
            crate["version"],
            crate["license"] or "NOASSERTION",
            f"pkg:cargo/{crate['name']}@{crate['version']}",
        )
        for crate in crates
        if crate["source"]
    ]
    texts = []
    for name, version, licence, text in bundled(crates):
        parts.append(component(name, version, licence, f"pkg:generic/{name}@{version}"))
        texts.append((f"{name} {version} ({licence})", [text]))
    for crate in crates:
        home = pathlib.Path(crate["manifest_path"]).parent
        files = [
            file for file in sorted(home.iterdir()) if TEXTS.match(file.name) and file.is_file()
        ]
        if crate["source"]:
            title = f"{crate['name']} {crate['version']} ({crate['license']})"
            texts.append((title, [file.read_text(errors="replace") for file in files]))
    program = {"type": "application", "name": root["name"], "version": root["version"]}
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": program},
        "components": parts,
    }
    (folder / "sbom.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
    with open(folder / "LICENCES.txt", "w") as out:
        out.write(
            "What is linked into these programs, and under which licence.\n"
            "The source of libzmq (MPL-2.0) is in the crate zeromq-src; what is changed in it,\n"
            "in orden's .libzmq/patches.\n"
        )
        for title, parts in texts:
            out.write(f"\n{'=' * 80}\n{title}\n{'=' * 80}\n\n" + "\n".join(parts))


if __name__ == "__main__":
    main()
