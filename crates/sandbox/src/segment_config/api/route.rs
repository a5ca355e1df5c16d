//! From a path to what it names. Slashes may be doubled and stand at the end.

/// What a path of the API names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::segment_config) enum Resource {
    Workspaces,
    Workspace,
    Users,
    Sources,
    Source,
    SourceRegulations,
    Destinations,
    Destination,
    Regulations,
    Regulation,
    SuppressedUsers,
    CatalogueSources,
    CatalogueSource,
    CatalogueDestinations,
    CatalogueDestination,
}

/// The names in a path; those its resource does not have are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::segment_config) struct Keys {
    pub(in crate::segment_config) workspace: String,
    pub(in crate::segment_config) source: String,
    pub(in crate::segment_config) destination: String,
    pub(in crate::segment_config) regulation: String,
    /// Slug of a catalogue entry.
    pub(in crate::segment_config) entry: String,
}

/// A path that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::segment_config) struct Route {
    pub(in crate::segment_config) resource: Resource,
    pub(in crate::segment_config) keys: Keys,
}

const ROUTES: &[(&str, Resource)] = &[
    ("/v1beta/workspaces", Resource::Workspaces),
    ("/v1beta/workspaces/{workspace}", Resource::Workspace),
    ("/v1beta/workspaces/{workspace}/users", Resource::Users),
    ("/v1beta/workspaces/{workspace}/sources", Resource::Sources),
    ("/v1beta/workspaces/{workspace}/sources/{source}", Resource::Source),
    ("/v1beta/workspaces/{workspace}/sources/{source}/regulations", Resource::SourceRegulations),
    ("/v1beta/workspaces/{workspace}/sources/{source}/destinations", Resource::Destinations),
    ("/v1beta/workspaces/{workspace}/sources/{source}/destinations/{destination}", Resource::Destination),
    ("/v1beta/workspaces/{workspace}/regulations", Resource::Regulations),
    ("/v1beta/workspaces/{workspace}/regulations/{regulation}", Resource::Regulation),
    ("/v1beta/workspaces/{workspace}/suppressed-users", Resource::SuppressedUsers),
    ("/v1beta/catalog/sources", Resource::CatalogueSources),
    ("/v1beta/catalog/sources/{entry}", Resource::CatalogueSource),
    ("/v1beta/catalog/destinations", Resource::CatalogueDestinations),
    ("/v1beta/catalog/destinations/{entry}", Resource::CatalogueDestination),
];

impl Resource {
    /// The path with the names of its parts, as the call log counts it.
    pub(in crate::segment_config) fn template(self) -> &'static str {
        ROUTES.iter().find(|(_, resource)| *resource == self).map_or("", |(template, _)| template)
    }
}

impl Route {
    pub(in crate::segment_config) fn of(path: &str) -> Option<Self> {
        let given: Vec<_> = steps(path).collect();
        ROUTES.iter().find_map(|(template, resource)| {
            let keys = fit(template, &given)?;
            Some(Self { resource: *resource, keys })
        })
    }
}

/// Whether a path reaches the API at all. Own choice: everything below `workspaces` and `catalog` does.
pub(in crate::segment_config) fn is_routed(path: &str) -> bool {
    let mut steps = steps(path);
    steps.next() == Some("v1beta") && matches!(steps.next(), Some("workspaces" | "catalog"))
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|step| !step.is_empty())
}

fn fit(template: &str, given: &[&str]) -> Option<Keys> {
    let mut keys = Keys::default();
    let mut given = given.iter();
    for wanted in steps(template) {
        let step = *given.next()?;
        let key = match wanted {
            "{workspace}" => &mut keys.workspace,
            "{source}" => &mut keys.source,
            "{destination}" => &mut keys.destination,
            "{regulation}" => &mut keys.regulation,
            "{entry}" => &mut keys.entry,
            _ if wanted == step => continue,
            _ => return None,
        };
        *key = decode(step);
    }
    given.next().is_none().then_some(keys)
}

/// A step of a path without its escapes.
fn decode(step: &str) -> String {
    // These stand for themselves in a path; the form decoder would take them for its own signs.
    let escaped = step.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let mut pairs = url::form_urlencoded::parse(escaped.as_bytes());
    pairs.next().map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_with_any_slashes_and_escapes() {
        for path in [
            "/v1beta/workspaces/a%20b+c/sources/.net",
            "/v1beta//workspaces///a b%2Bc/sources/%2Enet//",
            "//v1beta/workspaces/a%20b+c/sources/.net/",
        ] {
            let route = Route::of(path).unwrap();
            assert_eq!(route.resource, Resource::Source, "{path}");
            assert_eq!((route.keys.workspace.as_str(), route.keys.source.as_str()), ("a b+c", ".net"));
        }
        assert_eq!(Route::of("/v1beta/workspaces/a/regulation"), None);
        assert_eq!(Route::of("/v1beta/workspaces/a/regulations/b/c"), None);
    }

    #[test]
    fn what_reaches_the_api() {
        for path in ["/v1beta/workspaces", "/v1beta//catalog/", "/v1beta/workspaces/a/nothing"] {
            assert!(is_routed(path), "{path}");
        }
        for path in ["/", "/v1beta", "/v1/workspaces", "/workspaces", "/v1beta/workspace/a"] {
            assert!(!is_routed(path), "{path}");
        }
    }

    #[test]
    fn every_resource_has_a_template() {
        assert!(ROUTES.iter().all(|(template, resource)| resource.template() == *template));
    }
}
