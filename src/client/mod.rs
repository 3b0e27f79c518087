//! The client's shell: a DEALER, a clock and a thread around the receiving machine.
