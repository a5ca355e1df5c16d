//! Whatever Segment may answer, into every method of its connector.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habeas_integrations::fuzzing::target("segment_config", data));
