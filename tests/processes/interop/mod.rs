//! Everything that speaks to a broker, at the same time: four dialects, Python and Rust, real
//! processes. All of them see one order, under the same numbers.

mod killed;
mod mix;
mod readme;
mod seen;
mod stage;
