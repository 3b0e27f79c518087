//! The broker's shell: sockets, threads and clocks around the sequencing machine.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the transport that will use it comes next")
)]
mod shared_frame;
