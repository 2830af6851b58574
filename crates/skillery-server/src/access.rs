//! Who the caller is, and what the caller may do: the one place where that is decided.
//!
//! What a caller may do is what the user's role allows, and the token's scopes, and the token's bounds.

use std::sync::Arc;

use skillery_core::id::key_contains;
use skillery_core::{Namespace, ProblemCode, Program, Role, Scope, SkillId, Visibility};

use crate::db::Tx;
use crate::db::accounts::{self, TokenRow, UserRow};
use crate::db::skills::SkillRow;
use crate::failure::{Failure, Result};
use crate::origin;

/// A signed-in user with the token of this request.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user.
    pub user: UserRow,
    /// The token.
    pub token: TokenRow,
    /// The user's roles by namespace key.
    pub roles: Vec<(String, Role)>,
}

/// Whoever made the request, and with which program. Of the program nothing depends but a count.
#[derive(Debug, Clone)]
pub struct Caller {
    identity: Option<Arc<Identity>>,
    program: Program,
}

impl Default for Caller {
    fn default() -> Self {
        Self { identity: None, program: Program::Other }
    }
}

impl Identity {
    /// Whether an admin of the registry who may use that now.
    pub fn is_site_admin(&self) -> bool {
        self.user.site_admin && self.has(Scope::Admin) && self.token.namespaces.is_empty()
    }

    /// Whether user and token are good: neither is switched off or revoked.
    pub fn check_good(&self) -> Result<()> {
        if self.token.revoked_at.is_some() || self.user.disabled_at.is_some() {
            return Err(revoked());
        }
        Ok(())
    }

    /// User, token and roles as they stand in this transaction. Since the head of the request, while a body came slowly or
    /// another server knew of it first, any of them may have been taken away.
    pub async fn again(&self, tx: &mut Tx) -> Result<Self> {
        let (token, user) =
            accounts::token_by_id(tx.connection(), &self.token.id).await?.ok_or_else(revoked)?;
        let user = accounts::user_by_id(tx.connection(), &user).await?.ok_or_else(revoked)?;
        let roles = accounts::roles(tx.connection(), &user.id).await?;
        let identity = Self { user, token, roles };
        identity.check_good()?;
        Ok(identity)
    }

    /// As [`Identity::again`], where that is an admin of the registry still.
    pub async fn still_site_admin(&self, tx: &mut Tx) -> Result<Self> {
        let identity = self.again(tx).await?;
        if identity.is_site_admin() { Ok(identity) } else { Err(not_site_admin()) }
    }

    /// As [`Identity::again`], where that may act as `role` in the namespace still.
    pub async fn still(&self, tx: &mut Tx, role: Role, namespace: &Namespace) -> Result<Self> {
        let identity = self.again(tx).await?;
        identity.check_acts_as(role, namespace)?;
        Ok(identity)
    }

    /// Whether the token has this scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.token.scopes.contains(&scope)
    }

    /// Whether the token may be used for the namespace with this key.
    pub fn is_within_bounds(&self, namespace: &str) -> bool {
        self.token.namespaces.is_empty()
            || self.token.namespaces.iter().any(|bound| key_contains(bound, namespace))
    }

    /// Keys of the highest namespaces that the user has a role in and the token may be used for. A token that is bound to
    /// what lies below a role is like a role there.
    fn places(&self) -> Vec<&str> {
        let mut places = Vec::new();
        for (held, _) in &self.roles {
            if self.is_within_bounds(held) {
                places.push(held.as_str());
            } else {
                let bounds = self.token.namespaces.iter().filter(|bound| key_contains(held, bound));
                places.extend(bounds.map(String::as_str));
            }
        }
        places
    }

    /// Keys of the highest namespaces that the user may act in as this role with the token, unless that is everywhere.
    pub fn places_as(&self, role: Role) -> Option<Vec<String>> {
        if self.is_site_admin() {
            return None;
        }
        let mut places = Vec::new();
        for (held, _) in self.roles.iter().filter(|(_, has)| *has >= role) {
            if self.is_within_bounds(held) {
                places.push(held.clone());
            } else {
                let bounds = self.token.namespaces.iter().filter(|bound| key_contains(held, bound));
                places.extend(bounds.cloned());
            }
        }
        places.sort_unstable();
        // A key stands before those below it, though others may stand between them.
        let mut highest: Vec<String> = Vec::with_capacity(places.len());
        for place in places {
            if !highest.iter().any(|above| key_contains(above, &place)) {
                highest.push(place);
            }
        }
        Some(highest)
    }

    /// The highest role in the namespace with this key, held there or above.
    pub fn role_in(&self, namespace: &str) -> Option<Role> {
        if self.is_site_admin() {
            return Some(Role::Owner);
        }
        self.own_role_in(namespace)
    }

    /// The highest role that the user was given in the namespace with this key, there or above. Being an admin of the registry is
    /// none.
    pub fn own_role_in(&self, namespace: &str) -> Option<Role> {
        highest_role(&self.roles, namespace)
    }

    /// Whether it may act as `role` in the namespace with this key: that role or a higher one is held there or above, and the token
    /// may be used there. Which scope that takes is another question.
    pub fn acts_as(&self, role: Role, namespace: &str) -> bool {
        self.is_within_bounds(namespace) && self.role_in(namespace) >= Some(role)
    }

    /// [`Identity::acts_as`], with the reason why not.
    fn check_acts_as(&self, role: Role, namespace: &Namespace) -> Result<()> {
        let key = namespace.key();
        check_bounds(self, &key)?;
        match self.acts_as(role, &key) {
            true => Ok(()),
            false => Err(forbidden(role, namespace.as_str())),
        }
    }
}

/// The highest of these roles, given by namespace key, that holds in the namespace with this key.
pub fn highest_role(roles: &[(String, Role)], namespace: &str) -> Option<Role> {
    roles.iter().filter(|(place, _)| key_contains(place, namespace)).map(|(_, role)| *role).max()
}

/// What a caller sees, for queries that find skills of strangers and for what is kept of their answers.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// What is public, and nothing more: nobody in particular.
    pub is_public: bool,
    /// Everything.
    pub is_all: bool,
    /// The user whose roles count.
    pub user: String,
    /// Keys of the namespaces that the token is bound to; to none where there are none.
    pub bounds: Vec<String>,
    /// Keys of the highest namespaces in which also private skills are seen.
    pub places: Vec<String>,
}

impl Sight {
    /// The same for callers who see the same, and for no others.
    pub fn key(&self) -> String {
        match (self.is_public, self.is_all) {
            (true, _) => "public".to_owned(),
            (_, true) => "all".to_owned(),
            // Keys have neither blanks nor bars.
            _ => format!("{}|{}", self.bounds.join(" "), self.places.join(" ")),
        }
    }
}

impl Caller {
    /// What the caller sees: as [`Caller::sees`] has it, for all namespaces.
    pub fn sight(&self) -> Sight {
        let Some(identity) = self.identity.as_ref().filter(|identity| identity.has(Scope::Read)) else {
            return Sight { is_public: true, ..Sight::default() };
        };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        Sight {
            is_public: false,
            is_all: identity.is_site_admin(),
            user: identity.user.id.clone(),
            bounds: sorted(identity.token.namespaces.clone()),
            places: sorted(identity.places().into_iter().map(str::to_owned).collect()),
        }
    }

    /// A caller without a token.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A caller with a token that is good.
    pub fn signed_in(identity: Arc<Identity>) -> Self {
        Self { identity: Some(identity), ..Self::default() }
    }

    /// The same caller with this program.
    pub fn with_program(self, program: Program) -> Self {
        Self { program, ..self }
    }

    /// With which program the request was made, as far as that is known.
    pub fn program(&self) -> Program {
        self.program
    }

    /// Who it is, if signed in.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// The user's id for the log.
    pub fn user_id(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.user.id.as_str())
    }

    /// The identity, when the token has this scope.
    pub fn require(&self, scope: Scope) -> Result<&Arc<Identity>> {
        let identity =
            self.identity.as_ref().ok_or_else(|| Failure::new(ProblemCode::Unauthenticated, ""))?;
        if identity.has(scope) {
            return Ok(identity);
        }
        let problem = skillery_core::Problem::new(
            ProblemCode::InsufficientScope,
            format!("this needs a token with the scope `{scope}`"),
        );
        Err(problem.with("scope", scope.as_str()).into())
    }

    /// The identity, when the token has this scope and is bound to no namespaces: what is about the user is in none of them.
    pub fn require_unbound(&self, scope: Scope) -> Result<&Identity> {
        let identity = self.require(scope)?;
        if identity.token.namespaces.is_empty() {
            return Ok(identity);
        }
        let detail = "the token is bound to namespaces, and this is about its user";
        Err(Failure::new(ProblemCode::TokenOutOfBounds, detail))
    }

    /// The identity, when it may act as `role` in the namespace.
    pub fn require_role(&self, scope: Scope, role: Role, namespace: &Namespace) -> Result<&Arc<Identity>> {
        let identity = self.require(scope)?;
        identity.check_acts_as(role, namespace)?;
        Ok(identity)
    }

    /// The identity, when it is an admin of the registry.
    pub fn require_site_admin(&self) -> Result<&Arc<Identity>> {
        let identity = self.require(Scope::Admin)?;
        if identity.is_site_admin() {
            return Ok(identity);
        }
        Err(not_site_admin())
    }

    /// Whether the caller sees things of this visibility in the namespace with this key.
    pub fn sees(&self, visibility: Visibility, namespace: &str) -> bool {
        let reads = || self.identity.as_ref().filter(|identity| identity.has(Scope::Read));
        match visibility {
            Visibility::Public => true,
            Visibility::Internal => reads().is_some_and(|identity| identity.is_within_bounds(namespace)),
            Visibility::Private => reads().is_some_and(|identity| identity.acts_as(Role::Reader, namespace)),
        }
    }

    /// Which visibilities the skills of the namespace with this key may have for the caller to see them: [`Caller::sees`] for
    /// a query.
    pub fn visibilities(&self, namespace: &str) -> Vec<Visibility> {
        Visibility::ALL.iter().filter(|visibility| self.sees(**visibility, namespace)).copied().collect()
    }

    /// Whether the caller has a role in the namespace with this key, or somewhere below it, as far as the token may be used
    /// there.
    pub fn is_member(&self, namespace: &str) -> bool {
        self.identity.as_ref().is_some_and(|identity| {
            identity.has(Scope::Read)
                && (identity.is_site_admin()
                    || identity.places().iter().any(|place| key_contains(namespace, place)))
        })
    }

    /// Whether the caller has a role in the namespace with this key, above it or below it.
    pub fn is_member_around(&self, namespace: &str) -> bool {
        self.is_member(namespace)
            || self.identity.as_ref().is_some_and(|identity| {
                identity.has(Scope::Read) && identity.acts_as(Role::Reader, namespace)
            })
    }

    /// The skill, when it exists and the caller sees it. Otherwise the same answer for both.
    pub fn see(&self, id: &SkillId, skill: Option<SkillRow>) -> Result<SkillRow> {
        let skill = skill.ok_or_else(|| skill_not_found(id))?;
        let namespace = skill.id.namespace().key();
        if self.sees(skill.visibility, &namespace) {
            return Ok(skill);
        }
        origin::hidden(Some(&skill.id.key()), &namespace);
        Err(skill_not_found(id))
    }
}

/// The token is good no more, or its user is not.
pub fn revoked() -> Failure {
    Failure::new(ProblemCode::TokenRevoked, "")
}

fn not_site_admin() -> Failure {
    Failure::new(ProblemCode::Forbidden, "only admins of the registry may do this")
}

/// Whether the token may be used for the namespace with this key.
pub fn check_bounds(identity: &Identity, namespace: &str) -> Result<()> {
    if identity.is_within_bounds(namespace) {
        return Ok(());
    }
    origin::refused_in(namespace);
    let detail = format!("the token is bound to {}", identity.token.namespaces.join(", "));
    Err(Failure::new(ProblemCode::TokenOutOfBounds, detail))
}

/// The caller lacks this role.
pub fn forbidden(role: Role, namespace: &str) -> Failure {
    origin::refused_in(namespace);
    skillery_core::Problem::new(
        ProblemCode::Forbidden,
        format!("this needs the role `{role}` in `{namespace}`, or a higher one"),
    )
    .with("role", role.as_str())
    .into()
}

/// There is no such skill, or the caller may not see it.
pub fn skill_not_found(id: &SkillId) -> Failure {
    Failure::new(ProblemCode::SkillNotFound, format!("there is no skill `{id}` here"))
}
