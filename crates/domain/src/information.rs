//! What each law wants a person to be told about their rights, in plain words.

/// A right of the person, as it is explained to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ExplainedRight {
    /// What it is called.
    pub title: &'static str,
    /// What it means.
    pub explanation: &'static str,
    /// Where it stands.
    pub source: &'static str,
}

const fn right(title: &'static str, explanation: &'static str, source: &'static str) -> ExplainedRight {
    ExplainedRight { title, explanation, source }
}

/// GDPR Art. 15(1)(e) and (f), with the articles that it refers to.
const GDPR: &[ExplainedRight] = &[
    right(
        "To see your data",
        "You may ask which data is held about you and get a copy. You have just done so.",
        "GDPR Art. 15",
    ),
    right(
        "To have it corrected",
        "You may have wrong data corrected and missing data completed.",
        "GDPR Art. 16",
    ),
    right(
        "To have it deleted",
        "You may have your data deleted when it is no longer needed, when you take your consent back, or when it was used \
         against the law. Some data must be kept by law.",
        "GDPR Art. 17",
    ),
    right(
        "To limit its use",
        "You may ask that your data is kept but not used, for example while it is being checked whether it is right.",
        "GDPR Art. 18",
    ),
    right(
        "To take it with you",
        "Data that you provided and that is used by consent or for a contract, you may get in a form that another company can \
         read. The files of this answer are such a form.",
        "GDPR Art. 20",
    ),
    right(
        "To object",
        "You may object to the use of your data for reasons of your own, and always to its use for advertising.",
        "GDPR Art. 21",
    ),
    right(
        "Not to be judged by machines alone",
        "You may ask for a person where a decision that matters to you was made by a machine alone.",
        "GDPR Art. 22",
    ),
    right(
        "To complain",
        "You may complain to a data protection authority: where you live, where you work, or where you think the law was broken.",
        "GDPR Art. 77",
    ),
];

/// California Civil Code 1798.100 to 1798.125.
const CCPA: &[ExplainedRight] = &[
    right(
        "To know",
        "You may ask what personal information is collected about you, where it comes from, what it is used for and who gets \
         it, and get a copy. You have just done so.",
        "Cal. Civ. Code 1798.100, 1798.110",
    ),
    right(
        "To have it deleted",
        "You may have personal information deleted that was collected from you. The law has exceptions.",
        "Cal. Civ. Code 1798.105",
    ),
    right(
        "To have it corrected",
        "You may have wrong personal information corrected.",
        "Cal. Civ. Code 1798.106",
    ),
    right(
        "To opt out of sale and sharing",
        "You may say that your personal information must not be sold or shared for advertising across contexts.",
        "Cal. Civ. Code 1798.120",
    ),
    right(
        "To limit the use of sensitive information",
        "You may limit the use of sensitive personal information to what is needed.",
        "Cal. Civ. Code 1798.121",
    ),
    right(
        "Not to be treated worse",
        "Nobody may treat you worse because you use these rights.",
        "Cal. Civ. Code 1798.125",
    ),
    right(
        "To complain",
        "You may complain to the California Privacy Protection Agency or the Attorney General.",
        "Cal. Civ. Code 1798.199.45",
    ),
];

/// The rights under the policy of that key; none for a policy that is not known.
#[must_use]
pub fn rights_under(policy: &str) -> &'static [ExplainedRight] {
    match policy {
        "eu-gdpr" => GDPR,
        "us-ca" => CCPA,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::POLICIES;

    #[test]
    fn every_policy_explains_its_rights_with_their_sources() {
        for policy in POLICIES {
            let rights = rights_under(policy.key);
            assert!(rights.len() > 5, "{}", policy.key);
            assert!(rights.iter().all(|right| !right.source.is_empty() && right.explanation.ends_with('.')));
        }
    }
}
