//! Archives of strangers: `admit` never panics, keeps the limits, and what it lets in becomes one canonical archive.

#![no_main]

use libfuzzer_sys::fuzz_target;
use skillery_core::Limits;
use skillery_core::bundle::{admit, check_files, pack, unpack};

fuzz_target!(|bytes: &[u8]| {
    // Small, so that the fuzzer finds the limits.
    let limits = Limits { file_bytes: 4_096, bundle_bytes: 8_192, bundle_files: 8, ..Limits::default() };
    let Ok(files) = admit(bytes, &limits) else { return };
    assert_eq!(check_files(&files, &limits), []);
    let packed = pack(files.clone()).expect("what is let in can be packed");
    assert_eq!(unpack(&packed, &limits).expect("what was packed is unpacked"), files);
    assert_eq!(admit(&packed, &limits).expect("what was packed is let in"), files);
});
