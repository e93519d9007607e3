//! Copy nodes: a result that is written into a data source now and then.

use super::super::directive::Directive;
use super::super::problems::Problems;
use super::super::schedule::{self, Schedule};
use super::super::together::{self, Group};
use super::super::{Kind, ResourceName};
use super::node_kind::Attributes;

/// `TYPE copy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyJob {
    /// The data source that is written to.
    pub target: ResourceName,
    /// When it runs.
    pub schedule: Schedule,
    /// What happens to the rows that are there.
    pub mode: CopyMode,
    /// Whether Tinybird's cloud would run it on machines of its own; nothing here.
    pub uses_on_demand_compute: bool,
}

/// What a copy does with the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyMode {
    /// They stay.
    #[default]
    Append,
    /// They go, at the moment the new ones come.
    Replace,
}

const GROUP: Group<'_> = Group {
    kind: Kind::Pipe,
    label: "copy node",
    required: &[Directive::TargetDatasource],
    optional: &[Directive::CopySchedule, Directive::CopyMode, Directive::OnDemandCompute],
};

pub(super) fn read(node: &Attributes<'_>, problems: &mut Problems) -> Option<CopyJob> {
    let allowed: Vec<Directive> = GROUP.required.iter().chain(GROUP.optional).copied().collect();
    node.report_others("Copy", &allowed, problems);
    let schedule = read_schedule(node, problems);
    let mode = read_mode(node, problems);
    let uses_on_demand_compute = read_compute(node, problems);
    if !GROUP.is_complete(node.file, node.line.keyword, problems) {
        return None;
    }
    let target = together::resource(node.file, Directive::TargetDatasource, problems)?;
    Some(CopyJob { target, schedule: schedule?, mode: mode?, uses_on_demand_compute })
}

fn read_schedule(node: &Attributes<'_>, problems: &mut Problems) -> Option<Schedule> {
    let Some(line) = node.file.last(Directive::CopySchedule) else { return Some(Schedule::OnDemand) };
    let refusal = "COPY node schedule must be @on-demand or a valid cron expression.";
    schedule::read(line.rule.name, &line.required_value(problems)?, refusal, problems)
}

fn read_mode(node: &Attributes<'_>, problems: &mut Problems) -> Option<CopyMode> {
    let Some(line) = node.file.last(Directive::CopyMode) else { return Some(CopyMode::default()) };
    let value = line.required_value(problems)?;
    match value.as_str() {
        "append" => Some(CopyMode::Append),
        "replace" => Some(CopyMode::Replace),
        other => {
            problems.error("value", value.span(), "COPY node mode must be append or replace");
            if ["append", "replace"].contains(&other.to_ascii_lowercase().as_str()) {
                problems.help("write it in lower case");
            }
            None
        }
    }
}

fn read_compute(node: &Attributes<'_>, problems: &mut Problems) -> bool {
    let Some(line) = node.file.last(Directive::OnDemandCompute) else { return false };
    let Some(value) = line.required_value(problems) else { return false };
    match value.as_str().to_ascii_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => true,
        "n" | "no" | "f" | "false" | "off" | "0" => false,
        _ => {
            problems.error("value", value.span(), "ON_DEMAND_COMPUTE must be true or false");
            false
        }
    }
}
