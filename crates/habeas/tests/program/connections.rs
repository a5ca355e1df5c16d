//! Connections from the command line: changed, refused, removed while requests need them.

use crate::support::{Place, Sandbox, words};

#[test]
fn a_connection_is_edited_and_removed_by_force() {
    let sandbox = Sandbox::start();
    let place =
        Place::new().with_sandbox(&sandbox).with("TOKEN", "rc-demo-token").with("OLD", "rc-expired-token");
    place.json(words("connections add readycloud --name shop --set access_token=env:TOKEN"));

    place
        .run(words("connections edit shop --set access_token=env:NOWHERE"))
        .expect(2)
        .complaining(&["NOWHERE"]);
    let refused = place.run(words("connections edit shop --set access_token=env:OLD")).expect(1);
    refused.complaining(&["rejected"]);
    let edited = place.json(words("connections edit shop --name outlet --capability access=direct_contact"));
    assert_eq!(
        (&edited["name"], &edited["capabilities"]["access"]),
        (&"outlet".into(), &"direct_contact".into())
    );
    let shown =
        place.run(words("connections edit outlet --contact-email owner@example.test")).expect(0).stdout;
    assert!(shown.contains("owner@example.test"), "{shown}");

    let create = "requests create --right access --email ana.silva@example.test --policy eu-gdpr";
    let created = place.json(words(create));
    let id = created["id"].as_str().unwrap();
    let refused = place.run(words("connections remove outlet")).expect(1);
    refused.complaining(&["1 unfinished runs", "forced removal"]);
    place.run(words("connections remove outlet --force")).expect(0);
    let runs = place.json(["requests", "runs", id]);
    assert_eq!(runs["items"][0]["status"], "skipped");
    assert_eq!(place.json(words("connections list"))["items"].as_array().unwrap().len(), 0);
}
