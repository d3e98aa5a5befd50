//! What is known of the fuzzed targets: every input of the corpora goes through the same functions here.

use std::{fs, path::Path};

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

#[test]
fn the_corpora_break_nothing() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, run) in fuzz::TARGETS {
        let inputs: Vec<_> = fs::read_dir(corpora.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() > 3, "{name} has no corpus");
        for input in inputs {
            eprintln!("{}", input.display());
            run(&fs::read(&input).unwrap());
        }
    }
}
