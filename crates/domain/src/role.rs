//! Who may do what. Every check in the product is a [`Permission`] asked of an [`Actor`].

use std::collections::BTreeSet;
use std::fmt;

use crate::vocabulary::vocabulary;

vocabulary! {
    /// A role of a user or of an API key; several may be held, rights are the union.
    Role("role") {
        /// Everything.
        SuperAdmin = "super_admin",
        /// Integrations, connections and direct contacts.
        ConnectionsManager = "connections_manager",
        /// All requests, policies, settings of requests.
        RequestAdmin = "request_admin",
        /// Works on requests; not settings.
        RequestAgent = "request_agent",
        /// Reads requests and approves those of the systems assigned.
        RequestApprover = "request_approver",
        /// The Live Data Map.
        InventoryManager = "inventory_manager",
        /// API keys.
        ApiCredentialsManager = "api_credentials_manager",
        /// Reads everything but secrets and package contents; exports and verifies the audit log.
        Auditor = "auditor",
    }
}

vocabulary! {
    /// One thing that a role may allow.
    Permission("permission") {
        /// See requests, their runs and plans (not what was found).
        ReadRequests = "read_requests",
        /// See what was found about a subject.
        ReadRecords = "read_records",
        /// Take a request in.
        CreateRequests = "create_requests",
        /// Start, hold, process, deny, retry and the like.
        WorkOnRequests = "work_on_requests",
        /// Let a request process itself without review.
        SkipReview = "skip_review",
        /// Vouch that identifiers are the subject's.
        AttestIdentifiers = "attest_identifiers",
        /// See connections and their state (not their secrets).
        ReadConnections = "read_connections",
        /// Add, check, change and remove connections.
        ManageConnections = "manage_connections",
        /// Ask connections which other systems they show.
        DetectSystems = "detect_systems",
        /// List API keys (not the keys themselves).
        ReadApiKeys = "read_api_keys",
        /// Create and revoke API keys.
        ManageApiKeys = "manage_api_keys",
        /// List and verify the audit log.
        ReadAudit = "read_audit",
        /// See which processes carry out work, and what they have under way.
        ReadWorkers = "read_workers",
    }
}

impl Role {
    /// What the role allows.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::SuperAdmin => P::ALL,
            Self::ConnectionsManager => {
                &[P::ReadConnections, P::ManageConnections, P::DetectSystems, P::ReadWorkers]
            }
            Self::RequestAdmin => &[
                P::ReadRequests,
                P::ReadRecords,
                P::CreateRequests,
                P::WorkOnRequests,
                P::SkipReview,
                P::AttestIdentifiers,
                P::ReadConnections,
                P::ReadWorkers,
            ],
            Self::RequestAgent => &[P::ReadRequests, P::ReadRecords, P::CreateRequests, P::WorkOnRequests],
            Self::RequestApprover => &[P::ReadRequests],
            Self::InventoryManager => &[P::ReadConnections, P::DetectSystems],
            Self::ApiCredentialsManager => &[P::ReadApiKeys, P::ManageApiKeys],
            Self::Auditor => {
                &[P::ReadRequests, P::ReadConnections, P::ReadApiKeys, P::ReadAudit, P::ReadWorkers]
            }
        }
    }
}

/// Who acts: a person, a program, or the product itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// How the audit log names the actor: `local-operator`, `system`, `key_...`, `usr_...`.
    pub name: String,
    /// The roles held.
    pub roles: BTreeSet<Role>,
}

/// The actor may not do this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this needs the permission `{permission}`, which the roles {} give; {actor} has {}", list(.giving), list(.held))]
pub struct RoleMissing {
    /// Who tried.
    pub actor: String,
    /// What was needed.
    pub permission: Permission,
    /// Roles that would do.
    pub giving: Vec<Role>,
    /// Roles the actor has.
    pub held: Vec<Role>,
}

fn list(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "none".to_owned();
    }
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}

impl Actor {
    /// The person at the machine: whoever can open the data directory or its socket owns the installation.
    #[must_use]
    pub fn local_operator() -> Self {
        Self { name: "local-operator".to_owned(), roles: BTreeSet::from([Role::SuperAdmin]) }
    }

    /// The product itself: timers and workers.
    #[must_use]
    pub fn system() -> Self {
        Self { name: "system".to_owned(), roles: BTreeSet::from([Role::SuperAdmin]) }
    }

    /// Someone with the given roles.
    #[must_use]
    pub fn with_roles(name: impl Into<String>, roles: impl IntoIterator<Item = Role>) -> Self {
        Self { name: name.into(), roles: roles.into_iter().collect() }
    }

    /// Whether the actor has `permission`.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.roles.iter().any(|role| role.permissions().contains(&permission))
    }

    /// Refuses unless the actor has `permission`.
    ///
    /// # Errors
    /// [`RoleMissing`] names the roles that would do.
    pub fn require(&self, permission: Permission) -> Result<(), RoleMissing> {
        if self.may(permission) {
            return Ok(());
        }
        Err(RoleMissing {
            actor: self.name.clone(),
            permission,
            giving: Role::ALL
                .iter()
                .copied()
                .filter(|role| role.permissions().contains(&permission))
                .collect(),
            held: self.roles.iter().copied().collect(),
        })
    }

    /// Refuses to hand on a role whose rights the actor does not have in full.
    ///
    /// # Errors
    /// [`RoleMissing`] names the first permission the actor lacks.
    pub fn require_to_grant(&self, role: Role) -> Result<(), RoleMissing> {
        role.permissions().iter().try_for_each(|permission| self.require(*permission))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Role::RequestAgent, Permission::SkipReview, false)]
    #[case(Role::RequestAdmin, Permission::SkipReview, true)]
    #[case(Role::Auditor, Permission::ReadRecords, false)]
    #[case(Role::Auditor, Permission::ReadAudit, true)]
    #[case(Role::RequestApprover, Permission::WorkOnRequests, false)]
    #[case(Role::ConnectionsManager, Permission::ReadRequests, false)]
    #[case(Role::ApiCredentialsManager, Permission::ManageApiKeys, true)]
    #[case(Role::SuperAdmin, Permission::ManageConnections, true)]
    fn a_role_allows_what_the_product_says(
        #[case] role: Role,
        #[case] permission: Permission,
        #[case] allowed: bool,
    ) {
        assert_eq!(Actor::with_roles("someone", [role]).may(permission), allowed);
    }

    #[test]
    fn rights_are_the_union_of_roles() {
        let actor = Actor::with_roles("someone", [Role::RequestAgent, Role::Auditor]);
        assert!(actor.may(Permission::ReadAudit) && actor.may(Permission::WorkOnRequests));
    }

    #[test]
    fn nobody_grants_more_than_they_have() {
        let actor = Actor::with_roles("key_1", [Role::ApiCredentialsManager]);
        assert!(actor.require_to_grant(Role::ApiCredentialsManager).is_ok());
        let refusal = actor.require_to_grant(Role::RequestAgent).unwrap_err();
        assert_eq!(refusal.permission, Permission::ReadRequests);
        assert!(refusal.to_string().contains("request_agent"));
    }
}
