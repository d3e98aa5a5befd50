use std::fs;

use super::{Archive, ArchiveWriter};

#[test]
fn what_goes_in_comes_out_and_damage_is_found() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.zip");
    let mut writer = ArchiveWriter::create(&path).unwrap();
    for (name, pieces) in [("tables/0.jsonl", vec!["[1]\n", "[2]\n"]), ("files/0", vec![])] {
        writer.entry(name).unwrap();
        pieces.into_iter().for_each(|piece| writer.write(piece.as_bytes()).unwrap());
    }
    let written = writer.finish("about").unwrap();
    assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
    assert!(ArchiveWriter::create(&path).is_err(), "nothing is written over");

    let archive = Archive::<String>::open(&path, Some(written.digest), 8).unwrap();
    assert_eq!(archive.unpacked_bytes(), 8);
    assert_eq!(archive.unpack(&root.path().join("out")).unwrap(), "about");
    assert_eq!(fs::read_to_string(root.path().join("out/tables/0.jsonl")).unwrap(), "[1]\n[2]\n");
    assert_eq!(fs::read(root.path().join("out/files/0")).unwrap(), b"");
    assert!(Archive::<String>::open(&path, None, 7).unwrap_err().to_string().contains("larger than 7 bytes"));

    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(Archive::<String>::open(&path, Some(written.digest), 8).unwrap_err().to_string().contains("altered"));
        // Who does not know the digest still never gets other contents than were put in. Some bytes of a zip mean nothing.
        let (damaged, out) = (Archive::<String>::open(&path, None, 8), root.path().join(format!("damaged-{place}")));
        if let Ok(about) = damaged.and_then(|archive| archive.unpack(&out)) {
            assert_eq!(about.len(), "about".len(), "byte {place}");
            assert_eq!(fs::read_to_string(out.join("tables/0.jsonl")).unwrap(), "[1]\n[2]\n", "byte {place}");
        }
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(Archive::<String>::open(&path, None, 8).is_err());
}
