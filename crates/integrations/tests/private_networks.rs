//! A vendor whose name leads into a private network is told as what it is by every connector, whatever it was asked for:
//! not as an outage that passes, and not as something that may have taken effect.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use habeas_domain::{Identifier, IdentifierSource, IdentifierType};
use habeas_environment::{Environment, TestClock};
use habeas_integrations::client::in_memory::Loss;
use habeas_integrations::{
    Catalogue, ClientOptions, Connector, ErrorKind, Job, Retry, Settings, Subject, Transport, VendorClient,
    VendorError,
};
use jiff::Timestamp;

const NOW: &str = "2026-03-01T12:00:00Z";

fn connector(name: &str, settings: &[(&str, &str)]) -> Box<dyn Connector> {
    let catalogue = Catalogue::default();
    let integration = catalogue.find(name).unwrap();
    let settings: Settings = settings.iter().copied().collect();
    let settings = integration.normalise(settings, NOW.parse().unwrap()).unwrap();
    let base = integration.manifest().address(&settings).unwrap().unwrap().parse().unwrap();
    let environment = Environment::for_test(&TestClock::at(NOW), 1);
    let options = ClientOptions::new(integration.manifest().name, base, environment);
    let transport = Transport::in_memory(|_| Err(Loss::LeadsInside));
    integration.connect(&settings, VendorClient::new(options, transport).unwrap()).unwrap()
}

fn ana() -> Subject {
    Subject::new(vec![Identifier {
        kind: IdentifierType::Email,
        value: "ana.silva@example.test".to_owned(),
        source: IdentifierSource::Request,
        verified: true,
        attested_by: None,
    }])
}

fn assert_told<T>(what: &str, result: Result<T, VendorError>) {
    let error = result.err().unwrap_or_else(|| panic!("{what} succeeded"));
    assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never), "{what}: {error:?}");
    let explanation = error.explanation();
    assert!(explanation.contains("leads into a private network; nothing was sent"), "{what}: {explanation}");
    assert!(explanation.contains("only the server's operator can allow"), "{what}: {explanation}");
}

#[tokio::test]
async fn every_connector_tells_it() {
    let (people, now): (_, Timestamp) = ([ana()], NOW.parse().unwrap());
    let readycloud = connector("readycloud", &[("access_token", "t0ken")]);
    assert_told("ReadyCloud's check", readycloud.check(now).await);
    assert_told("ReadyCloud's pass", readycloud.scan(None, &people).await);
    assert_told("ReadyCloud's deletion", readycloud.delete_record(&people[0], "H6j/3mrRD").await);

    let credentials = [("datacenter_id", "fra1"), ("client_id", "client"), ("client_secret", "s3cret")];
    let segment = [("api_token", "t0ken"), ("workspace_name", "acme-shop")];
    for (name, settings) in [("qualtrics", credentials.as_slice()), ("segment_config", &segment)] {
        let connector = connector(name, settings);
        let job = [Job::new("OP-1").unwrap()];
        assert_told(&format!("{name}: check"), connector.check(now).await);
        assert_told(&format!("{name}: erase"), connector.erase(&people).await);
        assert_told(&format!("{name}: find_erasures"), connector.find_erasures(&people, now).await);
        assert_told(&format!("{name}: follow"), connector.follow(&job).await);
    }
    let qualtrics = connector("qualtrics", &credentials);
    assert_told("Qualtrics' export", qualtrics.export(&people[0], None).await);
    assert_told("Qualtrics' search", qualtrics.presence(&people[0]).await);
    assert_told("Qualtrics' cautions", qualtrics.cautions(&people).await);
}
