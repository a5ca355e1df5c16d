//! Texts from elsewhere than a vendor's answers: pasted addresses, headers, names of files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habeas_integrations::fuzzing::target("outside_texts", data));
