//! Checks files and prints diagnostics; with a second argument, the dump of one mixer.
use seqc_hir::{BesideImporter, check, elaborate, load, print_hir};
use seqc_syntax::{SourceMap, render_human};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut map = SourceMap::new();
    let file = map.read(std::path::Path::new(&args[1])).unwrap();
    let program = match load(&mut map, file, &BesideImporter) {
        Ok(p) => p,
        Err(ds) => {
            println!("{}", render_human(&map, &ds, false));
            return;
        }
    };
    if let Some(item) = args.get(2) {
        let sets: Vec<(String, String)> = args[3..].iter().filter_map(|a| a.split_once('=')).map(|(a, b)| (a.into(), b.into())).collect();
        match elaborate(&program, item, &sets) {
            Ok(e) => { println!("{}", print_hir(&e)); println!("{}", e.func); if let Err(w) = seqc_algebra::verify(&e.func) { println!("VERIFY {w}"); } }
            Err(ds) => println!("{}", render_human(&map, &ds, false))
        }
        return;
    }
    println!("{}", render_human(&map, &check(&program), false));
}
