//! The guide to checkpoint stores quotes the store that is tested, word for word.

use std::fs::read_to_string;

#[test]
fn every_excerpt_of_the_guide_is_in_the_example() {
    let here = env!("CARGO_MANIFEST_DIR");
    let guide =
        read_to_string(format!("{here}/../../docs/checkpoint-store.md")).expect("the guide");
    let example: String = ["main", "store", "table"]
        .map(|file| read_to_string(format!("{here}/tests/checkpoint_file/{file}.rs")))
        .map(|source| source.expect("a file of the example"))
        .concat();
    let excerpts = guide.split("```rust\n").skip(1).map(|rest| rest.split("```").next());
    let mut count = 0;
    for excerpt in excerpts {
        let excerpt = excerpt.expect("an excerpt ends");
        assert!(example.contains(excerpt), "the example has no longer:\n{excerpt}");
        count += 1;
    }
    assert!(count >= 6, "only {count} excerpts were found");
}
