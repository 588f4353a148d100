use seqc_driver::passes::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let s = seqc_driver::frontend::open(std::path::Path::new(&a[1])).unwrap();
    let set: Vec<(String, String)> = a[4..]
        .iter()
        .map(|x| {
            let (k, v) = x.split_once('=').unwrap();
            (k.into(), v.into())
        })
        .collect();
    let e = s.elaborate(&a[2], &set).unwrap();
    let shapes = Shapes {
        chunk: 4,
        checkpoint: 4,
        tiles: seqc_derive::stream::Tiles {
            kept: 4,
            streamed: 3,
        },
    };
    match a[3].as_str() {
        "algebra" => println!("{}", e.func),
        "chunked" => println!(
            "{}",
            forward(&e.func, Form::Chunked, &shapes, &mut vec![]).unwrap()
        ),
        "step" => println!(
            "{}",
            generation_step(&e.func, &shapes, &mut vec![]).unwrap()
        ),
        "prefill" => println!("{}", prefill(&e.func, &shapes, &mut vec![]).unwrap()),
        "train" => println!(
            "{}",
            training(&e.func, Form::Chunked, &shapes, &mut vec![]).unwrap()
        ),
        "pre" => {
            let mut f = e.func.clone();
            f = seqc_derive::sink::sink_reads(&f).unwrap();
            eprintln!(
                "sink {}",
                f.to_string()
                    .lines()
                    .filter(|l| l.contains("j=t"))
                    .collect::<Vec<_>>()
                    .join("\n")
            );
            f = seqc_derive::stream::lower_renames(&f).unwrap();
            f = seqc_derive::softmax::expand_softmax(&f).unwrap();
            println!("{f}");
        }
        "skernels" => {
            let f = generation_step(
                &seqc_driver::build::only(&e.func, |n| e.outputs.iter().any(|o| o == n)).unwrap(),
                &Shapes::cpu(),
                &mut vec![],
            )
            .unwrap();
            println!("{f}");
            let l = seqc_driver::build::lowered(&f, 4).unwrap();
            for k in &l.kernels {
                println!("{k}");
            }
            for (n, b) in l.plan.buffers.iter().enumerate() {
                println!("{n} {} {:?} {:?}", b.name, b.axes, b.shape);
            }
            for (n, x) in l.plan.launches.iter().enumerate() {
                println!("{n} {}", serde_json::to_string(x).unwrap());
            }
        }
        "kernels" => {
            let f = training(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![]).unwrap();
            println!("{f}");
            let l = seqc_driver::build::lowered(&f, 8).unwrap();
            for k in &l.kernels {
                println!("{k}");
            }
            for (n, x) in l.plan.launches.iter().enumerate() {
                println!("{n} {}", serde_json::to_string(x).unwrap());
            }
        }
        _ => {}
    }
}
