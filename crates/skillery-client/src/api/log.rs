//! The log: what admins of the registry read, and what everybody checks.

use reqwest::Method;
use skillery_core::api::{LogKeyResponse, LogResponse, OpeningsResponse, SkillLogResponse};
use skillery_core::tlog::note::VerifierKey;
use skillery_core::{SkillId, Version};

use crate::client::{Call, Client};
use crate::error::{Error, Result};
use crate::log::LogError;

impl Client {
    /// Entries from this number on: all with 0, and all that follow a page with the number of its last entry and one.
    pub async fn log(&self, after: i64, limit: Option<u64>) -> Result<LogResponse> {
        self.json(Call::get(&["log"]).query("after", Some(after)).query("limit", limit)).await
    }

    /// `GET /log/key`: the key that the log is signed with, as the registry says.
    pub async fn log_key(&self) -> Result<VerifierKey> {
        let answer: LogKeyResponse =
            self.json(Call::get(&["log", "key"])).await.map_err(|error| self.no_log(error))?;
        answer.key.parse().map_err(|error| self.bad_answer(format!("the key of the log: {error}")))
    }

    /// How the log came to its key, as the registry says: signed notes, the oldest first, not checked.
    pub(crate) async fn rotations(&self) -> Result<Vec<String>> {
        let answer: LogKeyResponse =
            self.json(Call::get(&["log", "key"])).await.map_err(|error| self.no_log(error))?;
        Ok(answer.rotations)
    }

    /// The newest checkpoint, with its signatures, not checked.
    pub(crate) async fn checkpoint(&self) -> Result<String> {
        self.text(Call::of_log("checkpoint")).await.map_err(|error| self.no_log(error))
    }

    /// The newest checkpoint that enough witnesses have cosigned, as the registry says, with their signatures, not checked.
    pub(crate) async fn witnessed(&self) -> Result<String> {
        self.text(Call::get(&["log", "witnessed"])).await
    }

    /// A tile or a bundle of entries, of so many bytes at most, not checked.
    pub(crate) async fn log_resource(&self, path: &str, limit: usize) -> Result<Vec<u8>> {
        let bytes = self.bytes(Call::of_log(path)).await?;
        if bytes.len() > limit {
            return Err(self.bad_answer(format!("`{path}` has more than {limit} bytes")));
        }
        Ok(bytes.into())
    }

    /// `GET /skills/{id}/versions/{version}/proof`: the proof that its publication is in the log, not checked.
    pub async fn proof(&self, id: &SkillId, version: &Version) -> Result<String> {
        self.text(Call::of_version(Method::GET, id, version, &["proof"])).await
    }

    /// `GET /skills/{id}/log`: the entries about a skill before this number, the newest first, not checked.
    pub async fn log_of_skill(
        &self,
        id: &SkillId,
        before: Option<u64>,
        limit: Option<u64>,
    ) -> Result<SkillLogResponse> {
        let call = Call::of_skill(Method::GET, id, &["log"]);
        self.json(call.query("before", before).query("limit", limit)).await
    }

    /// `GET /log/openings`: what opens hidden leaves that the caller may see, not checked.
    pub async fn openings(&self, after: u64, limit: Option<u64>) -> Result<OpeningsResponse> {
        self.json(Call::get(&["log", "openings"]).query("after", Some(after)).query("limit", limit)).await
    }

    /// A registry that has nothing at these addresses has no log.
    fn no_log(&self, error: Error) -> Error {
        if error.is_not_found() {
            LogError::NoLog { registry: self.registry().to_owned() }.into()
        } else {
            error
        }
    }
}
