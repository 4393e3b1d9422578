//! What is kept how long: plan, then apply.
