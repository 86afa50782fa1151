//! Changes of topics' settings, all of them at once or one by one. A change of a list needs what the list is now: such
//! changes exclude all others, so that none is lost.

use super::{
    Broker, Context, TopicChange, TopicError,
    configs::{ConfigType, config_type},
    within,
};
use crate::metadata::{ConfigError, topic_config};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// It is this.
    Set(String),
    /// It goes back to its default.
    Reset,
    /// These words, with commas between them, are added to the list, but for those that are there.
    Append(String),
    /// These words are taken out of the list.
    Subtract(String),
}

/// What becomes of a topic's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChanges {
    /// These are set, everything else goes back to its default.
    Replace(Vec<(String, String)>),
    /// These change, everything else stays.
    Each(Vec<(String, ConfigChange)>),
}

/// Why settings are not changed, beside what the table of settings refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigChangeError {
    /// Which of the two is meant?
    #[error("the request names the setting {name:?} twice")]
    Twice {
        /// Its name, or the beginning of it.
        name: String,
    },
    /// There is nothing to append to.
    #[error("{name} is not a list: it can be set, or go back to its default")]
    NotAList {
        /// Its name.
        name: &'static str,
    },
    /// No such setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Values to set, and names that go back to their defaults.
type Resolved = (BTreeMap<String, String>, Vec<String>);

impl ConfigChanges {
    /// The first setting that they name.
    pub fn first_name(&self) -> Option<&str> {
        match self {
            Self::Replace(values) => values.first().map(|(name, _)| name.as_str()),
            Self::Each(changes) => changes.first().map(|(name, _)| name.as_str()),
        }
    }

    /// What they come to where `present` is set. Values are not checked here.
    fn resolve(self, present: &BTreeMap<String, String>) -> Result<Resolved, ConfigChangeError> {
        let (mut set, mut reset) = (BTreeMap::new(), Vec::new());
        match self {
            Self::Replace(values) => {
                all_different(values.iter().map(|(name, _)| name))?;
                set.extend(values);
                let settings = topic_config::SETTINGS.iter().map(|setting| setting.name);
                reset.extend(settings.filter(|name| !set.contains_key(*name)).map(str::to_owned));
            }
            Self::Each(changes) => {
                all_different(changes.iter().map(|(name, _)| name))?;
                for (name, change) in changes {
                    match change {
                        ConfigChange::Reset => reset.push(name),
                        change => {
                            let value = changed(&name, change, present)?;
                            set.insert(name, value);
                        }
                    }
                }
            }
        }
        Ok((set, reset))
    }
}

fn all_different<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), ConfigChangeError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(ConfigChangeError::Twice { name: name.chars().take(64).collect() });
        }
    }
    Ok(())
}

/// The new value.
fn changed(
    name: &str,
    change: ConfigChange,
    present: &BTreeMap<String, String>,
) -> Result<String, ConfigChangeError> {
    let (words, append) = match change {
        ConfigChange::Set(value) => return Ok(value),
        ConfigChange::Append(words) => (words, true),
        ConfigChange::Subtract(words) => (words, false),
        ConfigChange::Reset => (String::new(), false),
    };
    let setting = topic_config::setting(name)?;
    if config_type(setting) != ConfigType::List {
        return Err(ConfigChangeError::NotAList { name: setting.name });
    }
    let now = present.get(name).map_or(setting.default, String::as_str);
    let mut list: Vec<&str> = words_of(now).collect();
    if append {
        for word in words_of(&words) {
            if !list.contains(&word) {
                list.push(word);
            }
        }
    } else {
        list.retain(|word| !words_of(&words).any(|gone| gone == *word));
    }
    Ok(list.join(","))
}

fn words_of(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

impl Broker {
    /// Changes a topic's settings: all that is asked for, or nothing. With `validate_only` nothing, and only whether it
    /// could be done is said. No change at all is a success.
    ///
    /// # Errors
    /// See [`TopicError`].
    pub async fn alter_topic_configs(
        &self,
        context: &Context,
        name: &str,
        changes: ConfigChanges,
        validate_only: bool,
    ) -> Result<(), TopicError> {
        let patience = self.admission().admit(context)?;
        let alter = async {
            let _alone = self.config_changes().write().await;
            let topic = self.topic_of_clients(name)?;
            let (set, reset) = changes.resolve(&topic.configs)?;
            if set.is_empty() && reset.is_empty() {
                return Ok(());
            }
            let change = TopicChange { name: name.to_owned(), partitions: None, set, reset, validate_only };
            self.alter(change).await
        };
        within(patience, alter).await.ok_or(TopicError::TimedOut)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn each(
        present: &[(&str, &str)],
        name: &str,
        change: ConfigChange,
    ) -> Result<Resolved, ConfigChangeError> {
        ConfigChanges::Each(vec![(name.to_owned(), change)]).resolve(&map(present))
    }

    #[test]
    fn replacing_resets_what_is_not_named() {
        let values = vec![("retention.ms".to_owned(), "1".to_owned())];
        let (set, reset) = ConfigChanges::Replace(values).resolve(&map(&[])).expect("changes");
        assert_eq!(set, map(&[("retention.ms", "1")]));
        assert_eq!(reset.len(), topic_config::SETTINGS.len() - 1);
        assert!(!reset.contains(&"retention.ms".to_owned()) && reset.contains(&"segment.ms".to_owned()));
    }

    #[test]
    fn lists_grow_and_shrink_from_what_they_are() {
        let append = |words: &str| ConfigChange::Append(words.to_owned());
        let subtract = |words: &str| ConfigChange::Subtract(words.to_owned());
        let policy = |present: &[(&str, &str)], change| {
            let (set, reset) = each(present, "cleanup.policy", change).expect("a list");
            assert!(reset.is_empty());
            set.get("cleanup.policy").cloned().expect("a value")
        };
        // The default counts where nothing is set.
        assert_eq!(policy(&[], append("compact")), "delete,compact");
        assert_eq!(policy(&[], append(" compact , delete,compact")), "delete,compact");
        let both = [("cleanup.policy", "compact, delete")];
        assert_eq!(policy(&both, append("delete")), "compact,delete");
        assert_eq!(policy(&both, subtract("compact")), "delete");
        assert_eq!(policy(&both, subtract("compact,delete")), "");
        assert_eq!(policy(&both, subtract("other")), "compact,delete");
        let refused = each(&[], "retention.ms", append("1")).expect_err("not a list");
        assert_eq!(refused, ConfigChangeError::NotAList { name: "retention.ms" });
        let refused = each(&[], "cleanup.polic", subtract("x")).expect_err("unknown");
        assert!(refused.to_string().contains("cleanup.policy"), "{refused}");
    }

    #[test]
    fn values_are_set_and_reset_and_none_is_named_twice() {
        let (set, reset) = each(&[], "retention.ms", ConfigChange::Set("1".into())).expect("changes");
        assert_eq!((set, reset), (map(&[("retention.ms", "1")]), Vec::new()));
        let (set, reset) = each(&[], "retention.ms", ConfigChange::Reset).expect("changes");
        assert_eq!((set, reset), (map(&[]), vec!["retention.ms".to_owned()]));
        let twice = vec![("a".to_owned(), ConfigChange::Reset); 2];
        let refused = ConfigChanges::Each(twice).resolve(&map(&[])).expect_err("twice");
        assert_eq!(refused, ConfigChangeError::Twice { name: "a".into() });
        let twice = vec![("x".repeat(1 << 20), String::new()); 2];
        let refused = ConfigChanges::Replace(twice).resolve(&map(&[])).expect_err("twice");
        assert!(refused.to_string().len() < 200);
    }
}
