//! What the stages above the code generators show: syntax trees and types of the example models; programs, derived
//! forms and schedules of their mixers at small sizes.

mod models;

use models::{MIXERS, MODELS};
use seqc_driver::emit::{self, Job};
use seqc_driver::passes::Form;
use seqc_driver::stage::Stage;
use seqc_driver::target::Target;
use seqc_driver::timings::Record;

#[test]
fn example_models() {
    for item in MODELS {
        let source = item.source();
        insta::assert_snapshot!(format!("{}.ast", item.name), emit::ast(&source));
        let texts = texts(&item, &[Stage::Hir], false);
        insta::assert_snapshot!(format!("{}.hir", item.name), texts[0].1);
    }
}

#[test]
fn mixers_of_the_examples() {
    for item in MIXERS {
        let stages = [Stage::Hir, Stage::Algebra, Stage::Derived, Stage::Schedule];
        for (stage, text) in texts(&item, &stages, false) {
            insta::assert_snapshot!(format!("{}.{}", item.name, stage.name()), text);
        }
    }
}

/// A gradient is longer: one example of it is enough to read.
#[test]
fn a_gradient() {
    for (stage, text) in texts(&MIXERS[1], &[Stage::Derived], true) {
        insta::assert_snapshot!(
            format!("{}.gradient.{}", MIXERS[1].name, stage.name()),
            text
        );
    }
}

fn texts(item: &models::Item, stages: &[Stage], grad: bool) -> Vec<(Stage, String)> {
    let job = Job {
        item: item.name.into(),
        set: item.settings(),
        form: Form::Chunked,
        grad,
        target: Some(Target::Cpu("x86-64-v3")),
    };
    let all = emit::texts(&item.source(), &job, stages, &mut Record::default());
    all.unwrap_or_else(|e| panic!("{e}"))
}
