//! The verbs of the product.

fn main() {}
