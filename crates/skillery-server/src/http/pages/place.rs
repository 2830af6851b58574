//! Which page an address is of.

use percent_encoding::percent_decode_str;
use skillery_core::{ProblemCode, SkillId};

use super::{assets, search, sign_in, skill};
use crate::failure::{Failure, Result};

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// One of the files that pages need.
    Asset(String),
    /// What browsers ask for by themselves.
    Favicon,
    /// Where one begins.
    Home,
    /// What was found.
    Search,
    /// What may be meant.
    Suggest,
    /// Signing in.
    Login,
    /// Signing out.
    Logout,
    /// Light or dark.
    Theme,
    /// A skill.
    Skill(SkillId),
}

impl Place {
    /// The name of its route.
    pub fn route(&self) -> &'static str {
        match self {
            Self::Asset(_) => assets::ASSET,
            Self::Favicon => "/favicon.ico",
            Self::Home => "/",
            Self::Search => search::SEARCH,
            Self::Suggest => search::SUGGEST,
            Self::Login => sign_in::LOGIN,
            Self::Logout => sign_in::LOGOUT,
            Self::Theme => sign_in::THEME,
            Self::Skill(_) => skill::SKILL,
        }
    }
}

/// The page of this path.
pub fn of(path: &str) -> Result<Place> {
    let not_found = || Failure::new(ProblemCode::RouteNotFound, "");
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| not_found())?;
    let segments: Vec<&str> = decoded.split('/').skip(1).collect();
    let place = match segments.as_slice() {
        [""] => Place::Home,
        ["assets", _] => Place::Asset(path.to_owned()),
        ["favicon.ico"] => Place::Favicon,
        ["search"] => Place::Search,
        ["search", "suggest"] => Place::Suggest,
        ["login"] => Place::Login,
        ["logout"] => Place::Logout,
        ["theme"] => Place::Theme,
        id if id.len() >= 2 => Place::Skill(id.join("/").parse().map_err(|_| not_found())?),
        _ => return Err(not_found()),
    };
    Ok(place)
}
