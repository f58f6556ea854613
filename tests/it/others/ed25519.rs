//! The edges of Ed25519, where implementations differ: by our rule (protocol, section 6).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Refusal::{LowOrder, NotCanonical, Signature, Torsion};
use super::{Refusal, file, unhex, verify};

/// A case of ed25519-speccheck ("Taming the many EdDSAs", eprint 2020/1244).
#[derive(Deserialize)]
struct SpecCase {
    message: String,
    pub_key: String,
    signature: String,
}

#[test]
fn all_twelve_cases_of_speccheck_are_refused() {
    let Some(text) = file("ed25519-speccheck/cases.json") else { return };
    let cases: Vec<SpecCase> = serde_json::from_str(&text).unwrap();
    let refusals: Vec<Refusal> = cases
        .iter()
        .map(|case| {
            let message = data_encoding::HEXLOWER.decode(case.message.as_bytes()).unwrap();
            verify(&unhex(&case.pub_key), &message, &unhex(&case.signature)).unwrap_err()
        })
        .collect();
    println!("ed25519-speccheck: {} run, {} refused: {refusals:?}", cases.len(), refusals.len());
    // In the order of the paper's table: 0 and 1 keys of low order, 2 to 5 of mixed order, 6 and 7 S not reduced, 8
    // and 9 R misspelt beside a mixed key, 10 and 11 keys misspelt.
    let keys = [[LowOrder; 2], [Torsion; 2], [Torsion; 2], [Signature; 2], [Torsion; 2], [NotCanonical; 2]];
    assert_eq!(refusals, keys.concat());
}

/// A case of C2SP's CCTV.
#[derive(Deserialize)]
struct CctvCase {
    number: usize,
    key: String,
    sig: String,
    msg: String,
    flags: Option<Vec<String>>,
}

#[test]
fn the_cases_of_cctv_are_judged_for_the_reason_their_flags_give() {
    let Some(text) = file("cctv/ed25519vectors.json") else { return };
    let cases: Vec<CctvCase> = serde_json::from_str(&text).unwrap();
    let mut verdicts: BTreeMap<Result<(), Refusal>, usize> = BTreeMap::new();
    for case in &cases {
        let verdict = verify(&unhex(&case.key), case.msg.as_bytes(), &unhex(&case.sig));
        assert_eq!(verdict, expected(case), "{} {:?}", case.number, case.flags);
        *verdicts.entry(verdict).or_default() += 1;
    }
    println!("CCTV Ed25519: {} run: {verdicts:?}", cases.len());
    // One of them is accepted: the vectors are made of edges, and this one has none.
    let counts =
        [(Ok(()), 1), (Err(NotCanonical), 226), (Err(LowOrder), 300), (Err(Torsion), 360), (Err(Signature), 27)];
    assert_eq!(verdicts, BTreeMap::from(counts));
}

/// What our rule makes of a case, from its flags alone.
fn expected(case: &CctvCase) -> Result<(), Refusal> {
    let has = |flag: &str| case.flags.iter().flatten().any(|set| set == flag);
    // First the key: its spelling, its order, its torsion.
    if has("non_canonical_A") {
        return Err(NotCanonical);
    }
    if has("low_order_A") {
        return Err(LowOrder);
    }
    if has("low_order_component_A") {
        return Err(Torsion);
    }
    // Then R, which must not be of low order; and the equation without the cofactor, which compares bytes: neither
    // another spelling of R nor a residue of low order passes.
    if has("low_order_R") || has("non_canonical_R") || has("low_order_residue") {
        return Err(Signature);
    }
    Ok(())
}
