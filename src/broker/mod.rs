//! The broker's shell: sockets, threads and clocks around the sequencing machine.
