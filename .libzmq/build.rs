//! Gets ready what `src/lib.rs` compiles: libzmq's source with the patches, and where libsodium is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use diffy::Patch;

/// Each says at its head what it is for.
const PATCHES: &str = "patches";

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo tells build scripts only where `libsodium-sys-stable` put what it built.
    for name in ["DEP_SODIUM_LIB", "DEP_SODIUM_INCLUDE"] {
        let place = env::var(name).expect("libsodium-sys-stable builds its own source");
        println!("cargo::rustc-env={name}={place}");
    }
    let source = PathBuf::from(env::var("OUT_DIR")?).join("libzmq");
    let original = upstream()?.join("vendor");
    for directory in ["include", "src"] {
        copy(&original.join(directory), &source.join(directory))?;
    }
    println!("cargo::rerun-if-changed={PATCHES}");
    for entry in fs::read_dir(PATCHES)? {
        let path = entry?.path();
        apply(&path, &source).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    println!("cargo::rustc-env=LIBZMQ_SOURCE={}", source.display());
    Ok(())
}

/// Where Cargo keeps `zeromq-src` 0.3.6, which nothing but Cargo knows.
fn upstream() -> Result<PathBuf, Box<dyn Error>> {
    let host = env::var("HOST")?;
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", &host])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array();
    let manifest = packages.into_iter().flatten().find_map(|package| {
        let version = package["version"].as_str()?;
        let found = package["name"] == "zeromq-src" && version.starts_with("0.3.6");
        found.then(|| package["manifest_path"].as_str())?
    });
    let directory = manifest.and_then(|path| Path::new(path).parent());
    Ok(directory.ok_or("no zeromq-src 0.3.6")?.to_owned())
}

/// Copies the files of a directory.
fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            // Read and written, since what Cargo unpacked may be read-only.
            fs::write(to.join(entry.file_name()), fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Applies a file of patches, as `git diff` writes them.
fn apply(patches: &Path, source: &Path) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(patches)?;
    for part in text.split("diff --git ").skip(1) {
        let header = part.find("--- a/").ok_or("no file is named")?;
        let patch = Patch::from_str(&part[header..])?;
        let name = patch.modified().and_then(|name| name.strip_prefix("b/"));
        let file = source.join(name.ok_or("no file is named")?);
        let mended = diffy::apply(&fs::read_to_string(&file)?, &patch)?;
        fs::write(file, mended)?;
    }
    Ok(())
}
