//! Bytes, lengths, allocation, direct access and slices of one file.

use super::{Place, everywhere};
use cairn_broker::disk::{
    AlignedBuffer, Caching, DiskErrorKind, DiskFile, OpenMode, read_file, replace_file,
};
use std::{path::Path, sync::Arc};

fn create(place: &Place, name: &str) -> Arc<dyn DiskFile> {
    place.disk.open(&place.at(name), OpenMode::CreateNew, Caching::Buffered).unwrap()
}

fn content(place: &Place, path: &Path) -> Vec<u8> {
    read_file(&*place.disk, path, 1 << 20).unwrap()
}

#[test]
fn bytes_come_back_and_gaps_read_as_zeros() {
    everywhere(|place| {
        let file = create(place, "a");
        assert!(file.is_empty().unwrap());
        file.write_at(5_000, &[b"hello", b"", b" world"]).unwrap();
        assert_eq!(file.len().unwrap(), 5_011);
        let mut buffer = [9; 5_020];
        assert_eq!(file.read_at(0, &mut buffer).unwrap(), 5_011);
        assert!(buffer[..5_000].iter().all(|byte| *byte == 0));
        assert_eq!(&buffer[5_000..5_011], b"hello world");
        assert!(buffer[5_011..].iter().all(|byte| *byte == 9), "no byte behind the end is touched");
        assert_eq!(file.read_at(5_011, &mut buffer).unwrap(), 0);
        assert_eq!(file.read_at(1 << 40, &mut buffer).unwrap(), 0);
        file.write_at(5_003, &[b"LO"]).unwrap();
        assert_eq!(&content(place, &place.at("a"))[5_000..], b"helLO world");
    });
}

#[test]
fn many_parts_are_one_write() {
    everywhere(|place| {
        let file = create(place, "a");
        let parts: Vec<Vec<u8>> = (0..3_000_u32).map(|part| part.to_le_bytes().to_vec()).collect();
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        file.write_at(7, &slices).unwrap();
        assert_eq!(content(place, &place.at("a"))[7..], parts.concat());
    });
}

#[test]
fn allocation_extends_with_zeros_and_changes_no_byte() {
    everywhere(|place| {
        let file = create(place, "a");
        file.write_at(0, &[b"kept"]).unwrap();
        file.allocate(0, 10_000).unwrap();
        assert_eq!(file.len().unwrap(), 10_000);
        file.allocate(100, 10).unwrap();
        file.allocate(20_000, 0).unwrap();
        assert_eq!(file.len().unwrap(), 10_000, "allocation never cuts, and none is none");
        file.sync_data().unwrap();
        let bytes = content(place, &place.at("a"));
        assert_eq!(&bytes[..4], b"kept");
        assert!(bytes[4..].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    everywhere(|place| {
        let file = create(place, "a");
        file.write_at(0, &[&[7; 9_000]]).unwrap();
        file.set_len(100).unwrap();
        assert_eq!(file.len().unwrap(), 100);
        file.set_len(9_000).unwrap();
        let bytes = content(place, &place.at("a"));
        assert!(bytes[..100].iter().all(|byte| *byte == 7));
        assert!(bytes[100..].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn a_file_open_for_reading_cannot_be_written() {
    everywhere(|place| {
        create(place, "a").write_at(0, &[b"x"]).unwrap();
        let file = place.disk.open(&place.at("a"), OpenMode::Read, Caching::Buffered).unwrap();
        assert_eq!(file.write_at(0, &[b"y"]).unwrap_err().kind, DiskErrorKind::Failed);
        assert!(file.set_len(0).is_err());
        assert_eq!(content(place, &place.at("a")), b"x");
    });
}

#[test]
fn slices_outlive_handle_name_and_growth() {
    everywhere(|place| {
        let file = create(place, "a");
        file.allocate(0, 1 << 16).unwrap();
        file.write_at(4_090, &[b"across pages"]).unwrap();
        assert_eq!(file.path(), place.at("a"));
        file.prefault(4_090, 12).unwrap();
        assert!(file.is_resident(4_090, 12).unwrap());
        let slice = file.slice(4_090, 12).unwrap();
        file.write_at(4_102, &[b"more"]).unwrap();
        assert_eq!(&file.slice(4_102, 4).unwrap()[..], b"more");
        assert_eq!(file.slice(3, 0).unwrap().len(), 0);
        assert!(file.slice(1 << 16, 1).is_err(), "nothing is shown behind the end");
        assert!(file.slice((1 << 16) - 1, 2).is_err());
        place.disk.remove_file(&place.at("a")).unwrap();
        drop(file);
        assert_eq!(&slice[..], b"across pages");
    });
}

#[test]
fn direct_access_moves_whole_aligned_blocks() {
    everywhere(|place| {
        let path = place.at("direct");
        let file = place.disk.open(&path, OpenMode::CreateNew, Caching::Direct).unwrap();
        let block = file.block_bytes();
        assert!(block >= 4096 && block.is_multiple_of(4096));
        let mut buffer = AlignedBuffer::new(2 * block).unwrap();
        buffer.as_mut_slice().fill(3);
        file.write_at(block as u64, &[buffer.as_slice()]).unwrap();
        file.sync_data().unwrap();
        for (position, length) in [(1, block), (0, block - 1)] {
            let error = file.write_at(position, &[&buffer.as_slice()[..length]]).unwrap_err();
            assert_eq!(error.kind, DiskErrorKind::Failed, "position {position}, {length} bytes");
        }
        assert!(file.write_at(0, &[&buffer.as_slice()[1..]]).is_err(), "memory wants to be aligned too");
        assert!(file.read_at(0, &mut buffer.as_mut_slice()[1..]).is_err());
        assert!(file.slice(0, 1).is_err(), "no map beside direct access");

        let mut read = AlignedBuffer::new(4 * block).unwrap();
        assert_eq!(file.read_at(0, read.as_mut_slice()).unwrap(), 3 * block);
        assert!(read.as_slice()[..block].iter().all(|byte| *byte == 0));
        assert!(read.as_slice()[block..3 * block].iter().all(|byte| *byte == 3));
    });
}

#[test]
fn a_small_file_is_replaced_whole_and_read_up_to_a_limit() {
    everywhere(|place| {
        for text in ["first", "second and longer", "3"] {
            replace_file(&*place.disk, &place.root, "meta", text.as_bytes()).unwrap();
            assert_eq!(content(place, &place.at("meta")), text.as_bytes());
            assert!(!place.disk.exists(&place.at("meta.tmp")).unwrap());
        }
        replace_file(&*place.disk, &place.root, "meta", &[0; 100]).unwrap();
        let error = read_file(&*place.disk, &place.at("meta"), 99).unwrap_err();
        assert_eq!(error.kind, DiskErrorKind::TooLarge);
    });
}
