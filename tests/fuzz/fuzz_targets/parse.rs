//! Any bytes: the parser is total, rendering too, and what parses survives the formatter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seqc_syntax::{SourceMap, dump, format_source, parse, render_human};

fuzz_target!(|bytes: &[u8]| {
    let mut map = SourceMap::new();
    let file = map.add("fuzz.seq", bytes);
    let (tree, errors) = parse(&map, file);
    assert_eq!(tree.is_some(), errors.is_empty());
    render_human(&map, &errors, false);
    let Some(tree) = tree else { return };
    let once = format_source(map.text(file)).expect("what parses can be formatted");
    let again = map.add("again.seq", once.as_str());
    let (second, errors) = parse(&map, again);
    assert!(errors.is_empty());
    assert_eq!(second.map(|tree| dump(&tree)), Some(dump(&tree)));
    assert_eq!(format_source(&once).as_deref(), Ok(once.as_str()));
});
