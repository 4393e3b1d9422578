//! The verbs of the product. Each is an outline; the work is in the library.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Verb};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::logging::start(cli.verbose, &cli.verb);
    let outcome = match cli.verb {
        Verb::Gateway(args) => cli::serve::gateway(&args),
        Verb::Shore(args) => cli::serve::shore(&args),
        Verb::Demo(args) => cli::serve::demo(&args),
        Verb::Sim(args) => cli::tools::sim(&args),
        Verb::Replay(args) => cli::tools::replay(&args),
        Verb::Decode(args) => cli::tools::decode(&args),
        Verb::Probe(args) => cli::probe::probe(&args),
        Verb::Devices(args) => cli::probe::devices(&args),
        Verb::Check(args) => cli::tools::check(&args),
        Verb::Token => cli::tools::token(),
        Verb::Status(args) => cli::remote::status(&args),
        Verb::Query(args) => cli::remote::query(&args),
        Verb::Prune(args) => cli::remote::prune(&args),
        Verb::Update(args) => cli::update::run(&args),
        Verb::Completions { shell } => cli::completions(shell),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}
