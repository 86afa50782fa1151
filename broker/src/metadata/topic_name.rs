//! Which names a topic may have: Kafka's rules, so that every name works with every client and as a metric label.

/// The longest name, in characters, each of which is one byte.
pub const NAME_LENGTH_MAX: usize = 249;

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicNameError {
    /// Empty or too long.
    #[error("a topic name has 1 to {NAME_LENGTH_MAX} characters, not {length}")]
    Length {
        /// Its length in bytes.
        length: usize,
    },
    /// A character that is not allowed.
    #[error(
        "topic name {name:?} has {character:?} at position {position}: use letters a-z A-Z, digits, '.', '_' and '-'"
    )]
    Character {
        /// The name.
        name: String,
        /// The first bad character.
        character: char,
        /// Where, from 0, in characters.
        position: usize,
    },
    /// A path component.
    #[error("a topic cannot be called {name:?}")]
    Reserved {
        /// The name.
        name: String,
    },
}

/// Checks a name.
///
/// # Errors
/// The first rule that it breaks.
pub(super) fn check(name: &str) -> Result<(), TopicNameError> {
    if name.is_empty() || name.len() > NAME_LENGTH_MAX {
        return Err(TopicNameError::Length { length: name.len() });
    }
    if name == "." || name == ".." {
        return Err(TopicNameError::Reserved { name: name.to_string() });
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    match name.chars().enumerate().find(|(_, character)| !allowed(*character)) {
        None => Ok(()),
        Some((position, character)) => {
            Err(TopicNameError::Character { name: name.to_string(), character, position })
        }
    }
}

/// Whether a topic may have this name.
pub fn is_topic_name(name: &str) -> bool {
    check(name).is_ok()
}

/// What two names share that metric names cannot tell apart: `.` and `_` are one character there.
pub(super) fn collision_key(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_kafkas() {
        let longest = "a".repeat(NAME_LENGTH_MAX);
        for good in ["a", "A.b_c-9", "...", longest.as_str()] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let too_long = "a".repeat(NAME_LENGTH_MAX + 1);
        for bad in ["", ".", "..", "a/b", "a\0", "ä", "a b", too_long.as_str()] {
            check(bad).expect_err(bad);
        }
        let error = check("päth").expect_err("not ASCII");
        assert!(error.to_string().contains("'ä' at position 1"), "{error}");
    }

    #[test]
    fn dot_and_underscore_collide() {
        assert_eq!(collision_key("a.b_c"), collision_key("a_b.c"));
        assert_ne!(collision_key("a-b"), collision_key("a_b"));
    }
}
