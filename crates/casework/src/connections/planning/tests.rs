//! The rule as tables: what is declared, what is there, what differs.

use habeas_domain::capability::DeletionCompletion;
use rstest::rstest;

use super::*;
use crate::connections::NewContact;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::from_iter(pairs.iter().copied())
}

fn declared(integration: &str, name: &str, pairs: &[(&str, &str)]) -> NewConnection {
    NewConnection {
        integration: integration.to_owned(),
        name: name.to_owned(),
        settings: settings(pairs),
        deletion_completion: None,
        capabilities: CapabilityChoices::new(),
        contact: NewContact::default(),
    }
}

fn shop() -> NewConnection {
    declared("readycloud", "shop", &[("access_token", "rc-token")])
}

fn surveys() -> NewConnection {
    let pairs = [("datacenter_id", "fra1"), ("client_id", "qx"), ("client_secret", "qx-secret")];
    declared("qualtrics", "surveys", &pairs)
}

fn ads() -> NewConnection {
    declared("segment_config", "ads", &[("api_token", "token"), ("workspace_name", "ours"), ("region", "eu")])
}

fn archive() -> NewConnection {
    declared("direct_contact", "archive", &[("processor_email", "owner@example.test")])
}

/// The connection that a declaration makes.
fn made(catalogue: &Catalogue, new: &NewConnection) -> Standing {
    let accepted = accept_new(catalogue, new, NOW).unwrap();
    Standing {
        id: "con_0192a0000000700080000000000000ab".parse().unwrap(),
        name: accepted.name,
        manifest: accepted.integration.manifest(),
        settings: accepted.settings,
        capabilities: accepted.capabilities,
        deletion_completion: accepted.deletion_completion.map(|completion| completion.to_string()),
        contact_email: accepted.contact_email,
        contact_seconds: new.contact.deadline_days.map(|days| days * SECONDS_PER_DAY),
        on_expiry: new.contact.on_expiry.unwrap_or_default(),
    }
}

/// Field, and from and to where they may be seen.
type Expected<'e> = (&'e str, Option<(Value, Value)>);

fn seen<'e>(field: &'e str, from: Value, to: Value) -> Expected<'e> {
    (field, Some((from, to)))
}

fn set(key: &str, value: &str) -> impl FnOnce(&mut NewConnection) {
    let (key, value) = (key.to_owned(), value.to_owned());
    move |new| new.settings.set(key, value)
}

fn serve(capability: Capability, handling: Handling) -> impl FnOnce(&mut NewConnection) {
    move |new| new.capabilities.extend([(capability, handling)])
}

fn nothing(_: &mut NewConnection) {}

/// The same connection was made from one declaration and is then declared in another way.
#[rstest]
#[case::the_same(shop(), nothing, nothing, &[])]
#[case::a_secret(shop(), nothing, set("access_token", "other"), &[("settings.access_token", None)])]
#[case::a_secret_of_several(surveys(), nothing, set("client_secret", "other"), &[("settings.client_secret", None)])]
#[case::a_plain_setting(surveys(), nothing, set("datacenter_id", "iad1"),
    &[seen("settings.datacenter_id", json!("fra1"), json!("iad1"))])]
#[case::spelt_another_way(ads(), nothing, set("workspace_name", " workspaces/ours "), &[])]
#[case::an_optional_setting_that_was_given(ads(), nothing, set("region", ""),
    &[seen("settings.region", json!("eu"), Value::Null)])]
#[case::an_optional_setting_that_was_not(ads(), set("region", ""), set("region", "us"),
    &[seen("settings.region", Value::Null, json!("us"))])]
#[case::the_whole_address_of_the_same_token(shop(), nothing,
    set("access_token", "https://vendor.example.test/#access_token=rc-token&expires_in=60"), &[])]
#[case::a_token_whose_expiry_is_known(shop(),
    set("access_token", "https://vendor.example.test/#access_token=rc-token&expires_in=60"), nothing, &[])]
#[case::completion(surveys(), nothing,
    |new: &mut NewConnection| new.deletion_completion = Some(DeletionCompletion::OnSubmit),
    &[seen("deletion_completion", json!("on_completion"), json!("on_submit"))])]
#[case::completion_left_out(surveys(),
    |new: &mut NewConnection| new.deletion_completion = Some(DeletionCompletion::OnSubmit), nothing,
    &[seen("deletion_completion", json!("on_submit"), json!("on_completion"))])]
#[case::the_usual_completion_in_words(surveys(), nothing,
    |new: &mut NewConnection| new.deletion_completion = Some(DeletionCompletion::OnCompletion), &[])]
#[case::a_capability(shop(), nothing, serve(Capability::Access, Handling::Off),
    &[seen("capabilities.access", json!("api"), json!("off"))])]
#[case::a_capability_left_out(shop(), serve(Capability::Deletion, Handling::DirectContact), nothing,
    &[seen("capabilities.deletion", json!("direct_contact"), json!("api"))])]
#[case::the_usual_handling_in_words(shop(), nothing, serve(Capability::Access, Handling::Api), &[])]
#[case::an_address(shop(), nothing, |new: &mut NewConnection| new.contact.email = Some("dpo@example.test".to_owned()),
    &[("contact.email", None)])]
#[case::an_address_left_out(shop(), |new: &mut NewConnection| new.contact.email = Some("dpo@example.test".to_owned()),
    nothing, &[("contact.email", None)])]
#[case::an_address_spelt_another_way(shop(),
    |new: &mut NewConnection| new.contact.email = Some("dpo@example.test".to_owned()),
    |new: &mut NewConnection| new.contact.email = Some(" dpo@example.test ".to_owned()), &[])]
#[case::a_deadline(shop(), nothing, |new: &mut NewConnection| new.contact.deadline_days = Some(3),
    &[seen("contact.deadline_days", Value::Null, json!(3))])]
#[case::a_deadline_left_out(shop(), |new: &mut NewConnection| new.contact.deadline_days = Some(3), nothing,
    &[seen("contact.deadline_days", json!(3), Value::Null)])]
#[case::expiry(shop(), nothing, |new: &mut NewConnection| new.contact.on_expiry = Some(OnExpiry::Skip),
    &[seen("contact.on_expiry", json!("hold"), json!("skip"))])]
#[case::the_usual_expiry_in_words(shop(), nothing, |new: &mut NewConnection| new.contact.on_expiry = Some(OnExpiry::Hold),
    &[])]
#[case::an_address_among_the_settings_is_personal(archive(), nothing, set("processor_email", "new@example.test"),
    &[("settings.processor_email", None), ("contact.email", None)])]
#[case::an_address_beside_the_settings(archive(),
    |new: &mut NewConnection| new.contact.email = Some("other@example.test".to_owned()), nothing,
    &[("contact.email", None)])]
#[case::several(surveys(), nothing,
    |new: &mut NewConnection| {
        new.settings.set("client_id", "qy");
        new.deletion_completion = Some(DeletionCompletion::OnSubmit);
        new.contact.deadline_days = Some(9);
    },
    &[seen("settings.client_id", json!("qx"), json!("qy")),
      seen("deletion_completion", json!("on_completion"), json!("on_submit")),
      seen("contact.deadline_days", Value::Null, json!(9))])]
fn what_differs_is_named(
    #[case] base: NewConnection,
    #[case] was: impl FnOnce(&mut NewConnection),
    #[case] is: impl FnOnce(&mut NewConnection),
    #[case] expected: &[Expected<'_>],
) {
    let catalogue = Catalogue::default();
    let (mut before, mut after) = (base.clone(), base);
    was(&mut before);
    is(&mut after);
    let standing = made(&catalogue, &before);
    let planned = plan(&catalogue, &[after], std::slice::from_ref(&standing), NOW).unwrap();
    let [one] = planned.as_slice() else { panic!("{planned:?}") };
    let changes: Vec<Expected<'_>> =
        one.changes.iter().map(|change| (change.field.as_str(), change.shown.clone())).collect();
    assert_eq!(changes, expected);
    let action = if expected.is_empty() { PlannedAction::None } else { PlannedAction::Edit };
    assert_eq!((one.action, one.id, one.problem.as_ref()), (action, Some(standing.id), None));
}

#[test]
fn what_an_integration_derived_or_learnt_is_no_difference() {
    let catalogue = Catalogue::default();
    for new in [shop(), surveys(), ads(), archive()] {
        let mut standing = made(&catalogue, &new);
        standing.settings.set("learnt_at_the_vendor", "anything");
        let planned = plan(&catalogue, &[new], &[standing], NOW).unwrap();
        assert_eq!(planned[0].action, PlannedAction::None, "{planned:?}");
    }
}

#[test]
fn declarations_come_in_their_order_and_then_what_is_not_declared() {
    let catalogue = Catalogue::default();
    let there = [made(&catalogue, &archive()), made(&catalogue, &ads()), made(&catalogue, &shop())];
    let moved = declared("direct_contact", "ads", &[("processor_email", "owner@example.test")]);
    let padded = NewConnection { name: " shop ".to_owned(), ..shop() };
    let planned = plan(&catalogue, &[surveys(), moved, padded], &there, NOW).unwrap();
    let lines: Vec<_> = planned
        .iter()
        .map(|one| (one.name.as_str(), one.action.as_str(), one.id.is_some(), one.problem.is_some()))
        .collect();
    assert_eq!(
        lines,
        [
            ("surveys", "create", false, false),
            ("ads", "replace", true, true),
            ("shop", "none", true, false),
            ("archive", "undeclared", true, false),
        ]
    );
    let replaced = &planned[1];
    assert_eq!(replaced.integration, "direct_contact");
    let change = shown("integration", json!("segment_config"), json!("direct_contact"));
    assert_eq!(replaced.changes, [change]);
    assert!(replaced.problem.as_ref().unwrap().contains("remove it first"), "{replaced:?}");
    assert!(plan(&catalogue, &[], &[], NOW).unwrap().is_empty());
}

#[test]
fn every_fault_of_every_declaration_is_told_at_once() {
    let catalogue = Catalogue::default();
    let mut crooked = declared("qualtrics", "\u{7}", &[("datacenter_id", "FRA1"), ("colour", "red")]);
    crooked.contact.deadline_days = Some(0);
    crooked.contact.email = Some("nobody".to_owned());
    crooked.capabilities.insert(Capability::SystemDetection, Handling::Api);
    let mut unknown = declared("atlantis", "", &[("token", "t")]);
    unknown.contact.email = Some("nobody".to_owned());
    let twice = NewConnection { name: " shop".to_owned(), ..shop() };
    let reserved = NewConnection { name: "plan".to_owned(), ..shop() };
    let faults = plan(&catalogue, &[shop(), crooked, unknown, twice, reserved], &[], NOW).unwrap_err();
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "connections.1.name",
            "connections.1.contact.deadline_days",
            "connections.1.capabilities.system_detection",
            "connections.1.contact.email",
            "connections.1.settings.colour",
            "connections.1.settings.client_id",
            "connections.1.settings.client_secret",
            "connections.1.settings.datacenter_id",
            "connections.2.integration",
            "connections.2.name",
            "connections.2.contact.email",
            "connections.3.name",
            "connections.4.name",
        ]
    );
    assert!(faults[11].message.contains("`connections.0`"), "{faults:?}");
    assert!(!faults.iter().any(|fault| fault.message.contains("nobody") || fault.message.contains("red")));
}
