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

    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(Archive::<String>::open(&path, Some(written.digest), 8).unwrap_err().to_string().contains("altered"));
    if let Ok(archive) = Archive::<String>::open(&path, None, 8) {
        assert!(archive.unpack(&root.path().join("damaged")).is_err());
    }
    bytes.truncate(bytes.len() / 2);
    fs::write(&path, &bytes).unwrap();
    assert!(Archive::<String>::open(&path, None, 8).is_err());
}
