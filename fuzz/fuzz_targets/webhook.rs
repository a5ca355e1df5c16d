//! Whatever a company's own system may answer, into every method of the connector that speaks to it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| habeas_integrations::fuzzing::target("webhook", data));
