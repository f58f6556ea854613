use std::io::{BufReader, Cursor};

use proptest::prelude::*;

use super::*;
use crate::identity::Identity;
use crate::sealed::{SealError, SealSecret};

fn secret(n: u8) -> SealSecret {
    SealSecret::from_bytes(&[n; 32])
}

fn key(n: u8) -> SealKey {
    *secret(n).key()
}

fn sealed(to: To<'_>, data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    assert_eq!(seal_file(&mut Cursor::new(data), &mut file, to).unwrap(), data.len() as u64);
    file
}

fn opened(file: &[u8], n: u8) -> Result<Vec<u8>, FileError> {
    let mut data = Vec::new();
    // Read in small pieces, as from a pipe.
    let mut input = BufReader::with_capacity(1000, file);
    open_file(&mut input, &mut data, With::Secrets(&secret(n).into())).map(|_| data)
}

fn refusal(file: &[u8], n: u8) -> String {
    format!("{:?}", opened(file, n).unwrap_err())
}

#[test]
fn every_size_around_the_chunks_comes_back() {
    for size in [0_usize, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let data: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let file = sealed(To::Readers(&[key(1), key(2)]), &data);
        let chunks = size.div_ceil(65_536).max(1);
        assert_eq!(file.len(), 8 + 2 + 1 + 2 * 88 + 32 + size + chunks * 16);
        assert_eq!(opened(&file, 2).unwrap(), data);
        assert_eq!(refusal(&file, 3), "NotForYou { readers: 2 }");
    }
}

#[test]
fn an_identity_opens_what_was_sealed_to_its_id() {
    let identity = Identity::from_seed(&[7; 32]);
    let reader = SealKey::of(&identity.id()).unwrap();
    let secret = SealSecret::of(&identity);
    assert_eq!(*secret.key(), reader);
    let file = sealed(To::Readers(&[reader]), b"hello");
    let mut data = Vec::new();
    open_file(&mut &file[..], &mut data, With::Secrets(&secret.into())).unwrap();
    assert_eq!(data, b"hello");
    assert!(SealKey::of(&NodeId::from_bytes([0; 32])).is_err(), "a point of low order is no identity");
}

#[test]
fn a_passphrase_opens_what_was_sealed_under_it_and_no_other_does() {
    let passphrase = |text: &str| Passphrase::new(text.as_bytes().to_vec()).unwrap();
    let file = sealed(To::Passphrase(&passphrase("correct horse")), b"hello");
    let open = |file: &[u8], text: &str| {
        let mut data = Vec::new();
        open_file(&mut &file[..], &mut data, With::Passphrase(&passphrase(text))).map(|_| data)
    };
    assert_eq!(open(&file, "correct horse").unwrap(), b"hello");
    assert!(matches!(open(&file, "wrong horse"), Err(FileError::WrongPassphrase)));
    assert_eq!(refusal(&file, 1), "NeedsPassphrase");
    let to_key = sealed(To::Readers(&[key(1)]), b"hello");
    assert!(matches!(open(&to_key, "correct horse"), Err(FileError::NeedsKey)));
    // The file says what deriving the key costs: not more than is bearable, and nothing that makes no sense.
    for (log_n, times) in [(18, 1), (63, 1), (255, 255), (0, 2), (16, 0), (17, 255)] {
        let mut dear = file.clone();
        (dear[10], dear[11]) = (log_n, times);
        assert!(matches!(open(&dear, "correct horse"), Err(FileError::PassphraseCost)), "{log_n} {times}");
    }
    // Altered, it is another passphrase's: nobody can tell.
    let mut other = file.clone();
    other[12] ^= 1;
    assert!(matches!(open(&other, "correct horse"), Err(FileError::WrongPassphrase)));
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed() {
    let good = sealed(To::Readers(&[key(1), key(2)]), b"hello");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(opened(&bad, 1).is_err(), "byte {at}");
        assert!(opened(&good[..at], 1).is_err(), "cut at {at}");
    }
    assert!(opened(&[&good[..], b"x"].concat(), 1).is_err(), "a byte too many");
}

#[test]
fn chunks_exchanged_repeated_left_out_or_added_are_noticed() {
    let data = vec![7; 3 * CHUNK];
    let good = sealed(To::Readers(&[key(1)]), &data);
    let head = good.len() - 3 * (CHUNK + 16);
    let (header, body) = good.split_at(head);
    let chunks: Vec<&[u8]> = body.chunks(CHUNK + 16).collect();
    let file = |order: &[usize]| [header, &order.iter().flat_map(|n| chunks[*n].to_vec()).collect::<Vec<_>>()].concat();
    assert!(opened(&file(&[0, 1, 2]), 1).is_ok());
    for order in [&[1, 0, 2][..], &[0, 0, 1, 2], &[0, 2], &[0, 1], &[0, 1, 2, 2], &[2], &[]] {
        assert!(matches!(opened(&file(order), 1), Err(FileError::Altered { .. })), "{order:?}");
    }
    // What came before the altered chunk is said, and that it is not to be used.
    assert_eq!(refusal(&file(&[0, 1]), 1), format!("Altered {{ good: {CHUNK} }}"));
    // Another file's chunk under the same number.
    let other = sealed(To::Readers(&[key(1)]), &data);
    let mixed = [header, chunks[0], &other[head + CHUNK + 16..]].concat();
    assert!(opened(&mixed, 1).is_err());
}

const CHUNK: usize = 64 << 10;

#[test]
fn what_is_no_sealed_file_is_named() {
    let good = sealed(To::Readers(&[key(1)]), b"hello");
    assert_eq!(refusal(b"", 1), "NotSealed");
    assert_eq!(refusal(b"SEALFIL", 1), "NotSealed");
    assert_eq!(refusal(&[7; 500], 1), "NotSealed");
    assert_eq!(refusal(&good[..9], 1), "CutOff");
    assert_eq!(refusal(&good[..100], 1), "CutOff");
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        refusal(&bytes, 1)
    };
    assert_eq!(with(8, 2), "Version(2)");
    assert_eq!((with(9, 2), with(10, 0), with(10, 65)), ("Header".into(), "Header".into(), "Header".into()));
}

#[test]
fn a_file_is_for_one_to_sixty_four_readers() {
    let seal = |readers: &[SealKey]| seal_file(&mut &b"x"[..], &mut Vec::new(), To::Readers(readers));
    let readers: Vec<_> = (1..=65).map(key).collect();
    assert!(seal(&readers[..64]).is_ok());
    assert!(matches!(seal(&readers), Err(FileError::Seal(SealError::TooManyReaders { count: 65 }))));
    assert!(matches!(seal(&[]), Err(FileError::Seal(SealError::NoReaders))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_files_never_panic_and_never_open(kind in 0_u8..3, n in 0_u8..66, rest in proptest::collection::vec(any::<u8>(), 0..400)) {
        // The first bytes of the rest are the cost under a passphrase: keep that from being dear here.
        let file = [&b"SEALFILE\x01"[..], &[kind], &[n], &rest].concat();
        prop_assert!(opened(&file, 1).is_err());
    }
}
