//! What a rendering knows about the world.

use std::collections::HashSet;

use super::limits::Limits;

/// Facts that are not in the request.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The names of the secrets that the workspace has, with or without `tb_secret_` in front.
    pub secrets: HashSet<String>,
    /// The current time as `YYYY-MM-DD HH:MM:SS`: the value of `job_timestamp` where it is not sent.
    pub now: Option<String>,
    /// What the rendering may cost.
    pub limits: Limits,
    /// What the rendering is for.
    pub mode: Mode,
}

/// What a rendering is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// To run the SQL: a missing parameter is missing.
    #[default]
    Render,
    /// To see whether the SQL could run: placeholders stand in for missing parameters.
    Check,
}

impl Environment {
    /// True if the workspace has the secret.
    pub(super) fn has_secret(&self, name: &str) -> bool {
        self.secrets.contains(name) || self.secrets.contains(&format!("tb_secret_{name}"))
    }
}
