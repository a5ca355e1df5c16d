//! Starting and stopping.

use habeas_sandbox::{Sandbox, SandboxError, SandboxOptions};
use serde_json::json;

use crate::support::client;

#[tokio::test]
async fn addresses_are_one_json_object() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let addresses = sandbox.addresses();
    let expected = json!({
        "qualtrics": addresses.qualtrics,
        "readycloud": addresses.readycloud,
        "segment_config": addresses.segment_config,
        "segment_public": addresses.segment_public,
        "webhook": addresses.webhook,
        "control": addresses.control,
    });
    assert_eq!(serde_json::to_value(addresses).unwrap(), expected);
    assert_ne!(addresses.readycloud, addresses.control);
}

#[tokio::test]
async fn stopping_closes_the_ports() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let url = format!("{}/calls", sandbox.addresses().control);
    let http = client();
    assert_eq!(http.get(&url).send().await.unwrap().status(), 200);
    sandbox.stop().await;
    assert!(http.get(&url).send().await.is_err());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // Qualtrics listens on the base itself.
    let options = SandboxOptions { port_base: Some(port), ..SandboxOptions::default() };
    let error = Sandbox::start(options).await.unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot listen on 127.0.0.1:{port} for qualtrics")),
        "{error}"
    );

    // The last port would be one too high.
    let options = SandboxOptions { port_base: Some(u16::MAX - 3), ..SandboxOptions::default() };
    assert!(
        matches!(Sandbox::start(options).await.unwrap_err(), SandboxError::PortBase(base) if base == u16::MAX - 3)
    );
}

#[tokio::test]
async fn sandboxes_do_not_share_state() {
    let first = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let second = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let before = second.readycloud().contact_count();
    assert!(first.readycloud().remove_contact(habeas_sandbox::readycloud::fixtures::JO));
    assert_eq!(second.readycloud().contact_count(), before);
}
