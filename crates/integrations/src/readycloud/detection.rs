//! Which systems the granted scopes show. They open the team's organisations and their contacts, and nothing that names the
//! shops and carriers behind them: so ReadyCloud itself is what can be said, once for each organisation.

use super::api::{Api, Organisation};
use super::errors::{self, Asked};
use crate::client::Reply;
use crate::connector::{Confidence, DetectedSystem, Detection, Evidence, Residual, SystemKind, harmless};
use crate::error::VendorError;

pub(super) async fn detect(api: &Api) -> Result<Detection, VendorError> {
    let organisations = match api.organisations().await? {
        Reply::Value(organisations) => organisations,
        Reply::Refused(answer) => return Err(errors::refused(&answer, Asked::Organisations)),
    };
    let systems = organisations.iter().filter(|one| !one.is_deleted()).filter_map(system).collect();
    let unseen = vec![Residual {
        what: "shops and carriers".to_owned(),
        why: "the scopes that were granted show the team's organisations only; which shops send contacts to ReadyCloud, and \
              which carriers receive them, has to be looked up in ReadyCloud (Settings)"
            .to_owned(),
    }];
    Ok(Detection { systems, unseen })
}

fn system(organisation: &Organisation) -> Option<DetectedSystem> {
    let key = organisation.key()?;
    let name = organisation.name.as_deref().and_then(harmless);
    Some(DetectedSystem {
        key: format!("organisation/{key}"),
        name: name.map_or_else(|| "ReadyCloud".to_owned(), |name| format!("ReadyCloud ({name})")),
        kind: SystemKind::Service,
        website: Some("https://www.readycloud.com".to_owned()),
        categories: Vec::new(),
        confidence: Confidence::High,
        evidence: vec![Evidence {
            role: "organisation",
            name: name.unwrap_or(key).to_owned(),
            source: None,
            is_enabled: None,
        }],
    })
}
