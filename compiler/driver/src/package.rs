//! One mixer or model from its text to an artifact, or to the one that an earlier build of the same left.

use crate::build::{self, Built};
use crate::cache::Cache;
use crate::emit::Job;
use crate::frontend::Source;
use crate::target::Target;
use crate::timings::Record;
use crate::{Error, Result, artifact, cache, code};
use seqc_hir::Elaborated;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Changes when the layout of artifacts does.
const FORMAT: &str = "1";

/// Where the artifact is: in `out`, or in the cache. `e` is the job's item, elaborated.
pub fn package(
    source: &Source,
    e: &Elaborated,
    job: &Job,
    record: &mut Record,
    out: Option<&Path>,
) -> Result<PathBuf> {
    let target = job.target.unwrap_or(Target::Host);
    let mut make = |into: &Path| {
        let (built, refused) = record.time_passes(&job.item, "schedule", |times| {
            programs(e, job, target, times)
        })?;
        let config = config(e, &built, job, target, &refused)?;
        record.time_passes(&job.item, "code", |_| {
            artifact::assemble(&built, target, Some(&config), into)
        })
    };
    match (Cache::open()?, out) {
        (Some(cache), out) => {
            let cached = cache.entry(&key(source, job, target)?, &mut make)?;
            let Some(out) = out else {
                return Ok(cached);
            };
            artifact::copy(&cached, out)?;
            Ok(out.to_owned())
        }
        (None, Some(out)) => {
            let hidden = artifact::beside(out)?;
            make(hidden.path())?;
            artifact::put(hidden, out)?;
            Ok(out.to_owned())
        }
        (None, None) => Err(Error::Other(
            "there is no user's folder for a cache: set SEQC_CACHE to one, or give -o DIR".into(),
        )),
    }
}

type Refused = Vec<(String, String)>;

fn programs(
    e: &Elaborated,
    job: &Job,
    target: Target,
    times: &mut crate::passes::Timings,
) -> Result<(Built, Refused)> {
    if e.model {
        let built = build::model(e, job.form, &target.shapes(), target.lanes(), times)?;
        return Ok((built, vec![]));
    }
    build::mixer(e, job.form, job.grad, target, times)
}

/// Everything that the artifact depends on, hashed: texts, not the names of files.
fn key(source: &Source, job: &Job, target: Target) -> Result<String> {
    let mut set = job.set.clone();
    set.sort();
    let grad = if job.grad { "gradient" } else { "" };
    let (target, target_now) = (target.to_string(), code::identity(target)?);
    let mut parts = vec![
        FORMAT,
        &job.item,
        job.form.name(),
        grad,
        &target,
        &target_now,
    ];
    for (k, v) in &set {
        parts.extend([k.as_str(), v.as_str()]);
    }
    parts.push("texts");
    let texts = source.texts();
    parts.extend(texts.iter().map(|t| t.1.as_str()));
    Ok(cache::key(&parts))
}

/// What a reader of the artifact wants to know: the program and its settings, and what there is not.
fn config(
    e: &Elaborated,
    built: &Built,
    job: &Job,
    target: Target,
    refused: &[(String, String)],
) -> Result<Value> {
    let settings: serde_json::Map<String, Value> = e
        .settings
        .iter()
        .map(|(n, v)| (n.clone(), v.to_string().into()))
        .collect();
    let vocabularies: Vec<Value> = e
        .vocabularies
        .iter()
        .map(|v| json!({ "input": v.input, "axis": v.axis, "size": v.size }))
        .collect();
    let plans: Vec<&str> = built.plans.iter().map(|p| p.name.as_str()).collect();
    let refused: serde_json::Map<String, Value> = refused
        .iter()
        .map(|(n, why)| (n.clone(), why.as_str().into()))
        .collect();
    Ok(json!({
        "format": FORMAT,
        "seqc": env!("CARGO_PKG_VERSION"),
        "name": e.name,
        "kind": if e.model { "model" } else { "mixer" },
        "settings": settings,
        "form": job.form.name(),
        "target": target.to_string(),
        "code": code::identity(target)?,
        "outputs": e.outputs,
        "vocabularies": vocabularies,
        "plans": plans,
        "refused": refused,
    }))
}
