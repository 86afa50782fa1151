//! Why bytes are not a message, and why a value has no bytes in a version. Each error names the field; a decoding error
//! also the position, so that a capture can be held against it.

/// Bytes that are not the message they should be. The connection that sent them cannot be trusted any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} at byte {position}: {problem}")]
pub struct DecodeError {
    /// The field, as `Struct.field`.
    pub field: &'static str,
    /// Where reading stood, in bytes from the front of the frame (after its four bytes of length).
    pub position: usize,
    /// What is wrong there.
    pub problem: DecodeProblem,
}

/// What is wrong at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// The bytes end before the field does. A declared length counts as what it declares.
    #[error("{wanted_bytes} bytes are wanted and {remaining_bytes} remain")]
    Truncated {
        /// Bytes the field needs.
        wanted_bytes: usize,
        /// Bytes that are left.
        remaining_bytes: usize,
    },
    /// A count of elements that cannot stand in the bytes that remain.
    #[error(
        "{count} elements of at least {element_bytes_min} bytes are declared and {remaining_bytes} bytes remain"
    )]
    CountBeyondEnd {
        /// The declared count.
        count: usize,
        /// The fewest bytes that an element has.
        element_bytes_min: usize,
        /// Bytes that are left.
        remaining_bytes: usize,
    },
    /// A length or count below -1.
    #[error("a length of {length} is not allowed")]
    NegativeLength {
        /// The declared length.
        length: i32,
    },
    /// Null where the version has no null.
    #[error("null is not allowed in this version")]
    Null,
    /// A string longer than the protocol allows, in either of its forms.
    #[error("a string of {bytes} bytes is longer than 32767")]
    StringTooLong {
        /// The declared length.
        bytes: usize,
    },
    /// A string that is not text.
    #[error("the string is not UTF-8")]
    NotUtf8,
    /// A variable-length number of more than 32 bits.
    #[error("a variable-length number is too long")]
    VarintTooLong,
    /// Tags must rise; the same tag twice is as wrong as a lower one.
    #[error("tag {tag} follows tag {previous}")]
    TagOrder {
        /// The tag found.
        tag: u32,
        /// The tag before it.
        previous: u32,
    },
    /// A tagged field that is known, and shorter than its declared size.
    #[error("{extra_bytes} bytes follow the value inside its tagged field")]
    TaggedFieldSize {
        /// Declared bytes that the value did not use.
        extra_bytes: usize,
    },
    /// Bytes behind the last field.
    #[error("{extra_bytes} bytes follow the message")]
    TrailingBytes {
        /// How many bytes are left over.
        extra_bytes: usize,
    },
    /// The decoded message would take more memory than the caller allows.
    #[error("the message takes more memory than it may: {wanted_bytes} bytes more, {allowed_bytes} allowed")]
    Memory {
        /// Bytes the field would take.
        wanted_bytes: usize,
        /// Bytes the message may still take.
        allowed_bytes: usize,
    },
    /// A version outside the served range.
    #[error("version {version} is not served")]
    Version {
        /// The version asked for.
        version: i16,
    },
}

/// A value that cannot be written in the version asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} cannot be written: {problem}")]
pub struct EncodeError {
    /// The field, as `Struct.field`.
    pub field: &'static str,
    /// Why not.
    pub problem: EncodeProblem,
}

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeProblem {
    /// The version has no null here.
    #[error("it is null, which this version does not have")]
    Null,
    /// The version does not have the field, and dropping what it says would mislead the reader.
    #[error("version {version} does not have it, and it must not be dropped")]
    NotInVersion {
        /// The version asked for.
        version: i16,
    },
    /// A length that its prefix cannot hold.
    #[error("it has {length} bytes or elements, more than {length_max}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The greatest length there is.
        length_max: usize,
    },
    /// A version outside the served range.
    #[error("version {version} is not served")]
    Version {
        /// The version asked for.
        version: i16,
    },
}
