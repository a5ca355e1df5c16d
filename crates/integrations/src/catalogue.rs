//! The integrations that the product knows. Adding a vendor is one folder and one line here.

use crate::connector::Integration;

/// A list of integrations, in the order in which they are shown.
#[derive(Debug)]
pub struct Catalogue {
    integrations: Vec<Box<dyn Integration>>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            integrations: vec![
                Box::new(crate::readycloud::ReadyCloud),
                Box::<crate::qualtrics::Qualtrics>::default(),
                Box::new(crate::segment_config::SegmentConfig),
                Box::new(crate::webhook::Webhook),
                Box::new(crate::direct_contact::DirectContact),
            ],
        }
    }
}

impl Catalogue {
    /// Adds an integration that does not ship with the product (a benchmark's stub, a test's double).
    #[must_use]
    pub fn with(mut self, integration: Box<dyn Integration>) -> Self {
        self.integrations.push(integration);
        self
    }

    /// Every integration.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Integration> {
        self.integrations.iter().map(AsRef::as_ref)
    }

    /// The integration named `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&dyn Integration> {
        self.iter().find(|integration| integration.manifest().name == name)
    }
}
