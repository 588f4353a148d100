//! What the stages print reads back as the same thing and is the same each time: every example, forward and gradient,
//! in every form.

mod models;

use models::MODELS;
use seqc_driver::build::{derived, lowered};
use seqc_driver::passes::{Form, Shapes, forms_of};

fn same_algebra(what: &str, f: &seqc_algebra::Func) {
    let text = f.to_string();
    let back = seqc_algebra::parse(&text).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(back == *f, "{what}: another program is read back");
    assert_eq!(back.to_string(), text, "{what}");
}

#[test]
fn algebra_and_schedule_read_back() {
    for item in MODELS {
        let e = item.elaborated();
        same_algebra(item.name, &e.func);
        // A form that the program does not have is refused.
        let has = forms_of(&e.func);
        for (name, form) in Form::NAMED.into_iter().filter(|f| has.contains(&f.1)) {
            for grad in [false, true] {
                let what = format!("{}, {name}, gradient {grad}", item.name);
                let f = derived(&e, form, grad, &Shapes::cpu(), &mut vec![])
                    .unwrap_or_else(|why| panic!("{what}: {why}"));
                same_algebra(&what, &f);
                let low = lowered(&f, 8).unwrap_or_else(|why| panic!("{what}: {why}"));
                let text = seqc_schedule::print::plan::plan(&low.plan, &low.kernels);
                let (plan, kernels) =
                    seqc_schedule::parse::plan(&text).unwrap_or_else(|why| panic!("{what}: {why}"));
                assert!(plan == low.plan, "{what}: another plan is read back");
                assert!(kernels == low.kernels, "{what}: other kernels");
                // Whatever the order of a hash table, which is another one each time.
                let again = derived(&e, form, grad, &Shapes::cpu(), &mut vec![]).unwrap();
                assert!(again == f, "{what}: derived again, it is another program");
                let low = lowered(&again, 8).unwrap();
                let second = seqc_schedule::print::plan::plan(&low.plan, &low.kernels);
                assert!(second == text, "{what}: lowered again, it is another plan");
            }
        }
    }
}
