use super::*;
use crate::artifact::SUMS;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

fn cache(dir: &Path) -> Cache {
    Cache::at(dir.join("cache")).unwrap()
}

/// An entry with two files; counts how often it had to be made.
fn entry(cache: &Cache, key: &str, made: &mut u32) -> PathBuf {
    let make = |into: &Path| {
        *made += 1;
        fs::create_dir(into.join("plans")).unwrap();
        fs::write(into.join("plans/a.json"), "plan").unwrap();
        fs::write(into.join("kernels.so"), "code of some length").unwrap();
        Ok(())
    };
    cache.entry(key, make).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let name = |e: io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    let mut all: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
    all.sort();
    all
}

fn open_to_others(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

const KEY: &str = "00112233445566778899aabbccddeeff";

#[test]
fn keys_depend_on_every_part_and_on_where_it_ends() {
    assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    assert_ne!(key(&["a", "b"]), key(&["ab", ""]));
    assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
    assert_eq!(key(&[]).len(), KEY.len());
}

#[test]
fn what_is_not_as_it_was_sealed_is_made_again() {
    type Damage = (&'static str, fn(&Path));
    let damages: [Damage; 10] = [
        ("cut short", |at| {
            let file = fs::File::options().write(true).open(at.join("kernels.so"));
            file.unwrap().set_len(4).unwrap();
        }),
        ("changed", |at| {
            fs::write(at.join("kernels.so"), "CODE of some length").unwrap()
        }),
        ("emptied", |at| {
            fs::write(at.join("kernels.so"), "").unwrap()
        }),
        ("taken away", |at| {
            fs::remove_file(at.join("plans/a.json")).unwrap()
        }),
        ("one more", |at| {
            fs::write(at.join("plans/b.json"), "plan").unwrap()
        }),
        ("no sums", |at| fs::remove_file(at.join(SUMS)).unwrap()),
        ("empty sums", |at| fs::write(at.join(SUMS), "").unwrap()),
        ("a file open to others", |at| {
            open_to_others(&at.join("kernels.so"))
        }),
        ("the folder open to others", open_to_others),
        ("a pipe", |at| {
            fs::remove_file(at.join("kernels.so")).unwrap();
            let pipe = std::process::Command::new("mkfifo")
                .arg(at.join("kernels.so"))
                .status();
            assert!(pipe.unwrap().success());
        }),
    ];
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let mut made = 0;
    let at = entry(&cache, KEY, &mut made);
    for (n, (what, damage)) in (2..).zip(damages) {
        damage(&at);
        assert_eq!(entry(&cache, KEY, &mut made), at);
        assert_eq!(made, n, "{what}");
        entry(&cache, KEY, &mut made);
        assert_eq!(made, n, "after {what}: whole again, and found");
        let code = fs::read_to_string(at.join("kernels.so")).unwrap();
        assert_eq!(code, "code of some length");
    }
    assert_eq!(
        names(&dir.path().join("cache")),
        [KEY],
        "nothing hidden stays"
    );
}

/// Only root can make an entry another user's.
#[test]
fn another_users_entry_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let mut made = 0;
    let at = entry(&cache, KEY, &mut made);
    for path in ["", "kernels.so", "plans/a.json", SUMS] {
        if chown(at.join(path), Some(65534), Some(65534)).is_err() {
            return;
        }
        let before = made;
        entry(&cache, KEY, &mut made);
        assert_eq!(made, before + 1, "{path}");
    }
    let folder = dir.path().join("cache");
    chown(&folder, Some(65534), Some(65534)).unwrap();
    let error = Cache::at(folder).err().unwrap().to_string();
    assert!(
        error.contains("another user") && error.contains("SEQC_CACHE"),
        "{error}"
    );
}

#[test]
fn the_old_and_the_most_go() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let folder = dir.path().join("cache");
    let key = |n: u32| format!("{n:032x}");
    let now = SystemTime::now();
    let days = |n: u64| Duration::from_secs(n * 24 * 3600);
    let set_age = |name: &str, age: Duration| {
        let file = fs::File::open(folder.join(name)).unwrap();
        file.set_modified(now - age).unwrap();
    };
    for n in 0..5 {
        entry(&cache, &key(n), &mut 0);
        set_age(&key(n), days(u64::from(n)));
    }
    fs::create_dir(folder.join(".building-killed")).unwrap();
    fs::create_dir(folder.join(".building-now")).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    set_age(".building-killed", days(400));
    set_age("notes.txt", days(400));
    let each: u64 = ["kernels.so", "plans/a.json", SUMS]
        .map(|f| fs::metadata(folder.join(key(0)).join(f)).unwrap().len())
        .iter()
        .sum();
    let left = |wanted: &[u32]| {
        let mut all: Vec<String> = wanted.iter().map(|n| key(*n)).collect();
        all.extend([".building-now".into(), "notes.txt".into()]);
        all.sort();
        assert_eq!(names(&folder), all);
    };
    sweep::sweep(&folder, days(3) + Duration::from_secs(60), u64::MAX, now);
    left(&[0, 1, 2, 3]);
    sweep::sweep(&folder, days(100), 2 * each, now);
    left(&[0, 1]);
    // What is used again is young again.
    set_age(&key(0), days(2));
    entry(&cache, &key(1), &mut 0);
    sweep::sweep(&folder, days(100), each, SystemTime::now());
    left(&[1]);
}

/// Four at a time make the same entry, and each finds a whole one.
#[test]
fn concurrent_makers_find_whole_entries() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    for round in 0..25 {
        let key = format!("{round:032x}");
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let at = entry(&cache, &key, &mut 0);
                    assert!(is_sound(&at));
                    let code = fs::read_to_string(at.join("kernels.so")).unwrap();
                    assert_eq!(code, "code of some length");
                });
            }
        });
    }
    assert_eq!(names(&dir.path().join("cache")).len(), 25);
}
