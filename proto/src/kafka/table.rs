//! The tables. A message is one table of its fields; struct, default, decoding, encoding and sample values all follow
//! from it. A row reads
//!
//! ```text
//! name: Type [3-7, nullable 5+, tag 0, else refuse] = default,
//! ```
//!
//! where everything behind the type may be left out:
//!
//! * `[3-7]`, `[3+]`: the versions that have the field; otherwise all. Decoding a version without it gives the default.
//! * `nullable 5+`: an `Option` may be null from then on; otherwise in every version.
//! * `tag 0`: the field stands among the tagged fields, and is written only when it differs from the default.
//! * `else refuse`: encoding a version without the field fails unless it has its default. Other fields are dropped:
//!   their reader does without them. It stands where dropping would change what a message asks or says.
//! * `= default`: otherwise zero, empty, or null.
//!
//! The same facts are in Kafka's message definitions, with the same names.

/// One row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// As `Struct.field`.
    pub(super) name: &'static str,
    /// The first version that has it.
    pub(super) version_min: i16,
    /// The last version that has it.
    pub(super) version_max: i16,
    /// The first version in which it may be null, if its type can be.
    pub(super) nullable_from: i16,
    /// Its number among the tagged fields.
    pub(super) tag: Option<u32>,
    /// Whether it must not be dropped.
    pub(super) refused_elsewhere: bool,
}

impl Field {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            version_min: 0,
            version_max: i16::MAX,
            nullable_from: 0,
            tag: None,
            refused_elsewhere: false,
        }
    }

    pub(super) const fn from(mut self, version: i16) -> Self {
        self.version_min = version;
        self
    }

    pub(super) const fn to(mut self, version: i16) -> Self {
        self.version_max = version;
        self
    }

    pub(super) const fn nullable(mut self, version: i16) -> Self {
        self.nullable_from = version;
        self
    }

    pub(super) const fn tagged(mut self, tag: u32) -> Self {
        self.tag = Some(tag);
        self
    }

    pub(super) const fn refuse(mut self) -> Self {
        self.refused_elsewhere = true;
        self
    }

    /// Its form in the version of its struct, if that version has it.
    pub(super) fn form(&self, of_struct: Form) -> Option<Form> {
        let versions = self.version_min..=self.version_max;
        let nullable = of_struct.version >= self.nullable_from;
        versions.contains(&of_struct.version).then_some(Form { nullable, ..of_struct })
    }

    /// The same, if it stands in its place and not among the tagged fields.
    pub(super) fn form_in_place(&self, of_struct: Form) -> Option<Form> {
        if self.tag.is_some() { None } else { self.form(of_struct) }
    }

    /// Whether a value other than the default cannot be written.
    pub(super) fn refuses(&self, of_struct: Form) -> bool {
        self.refused_elsewhere && self.form(of_struct).is_none()
    }
}

/// Whether the rows of a struct can be written and read again: each has a version, and tags rise as readers demand.
pub(super) const fn well_formed(mut rows: &[Field]) -> bool {
    let mut tag_min = 0;
    while let [row, rest @ ..] = rows {
        if row.version_min > row.version_max || row.nullable_from > row.version_max {
            return false;
        }
        if let Some(tag) = row.tag {
            if tag < tag_min {
                return false;
            }
            tag_min = tag + 1;
        }
        rows = rest;
    }
    true
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The API's version.
    pub version: i16,
    /// Compact lengths, and tagged fields behind every struct.
    pub flexible: bool,
    /// Whether null is allowed.
    pub nullable: bool,
}

impl Form {
    /// For the elements of an array, which are never null.
    pub(super) fn not_null(self) -> Self {
        Self { nullable: false, ..self }
    }
}

/// The default of a row.
macro_rules! default_of {
    ($type:ty) => {
        <$type>::default()
    };
    ($type:ty, $default:expr) => {
        $default
    };
}

/// Structs from tables; see the module.
macro_rules! message {
    ($(
        $(#[$about:meta])*
        pub struct $name:ident {
            $(
                $(#[$about_field:meta])*
                $field:ident: $type:ty $([
                    $from:literal $(+)? $(- $to:literal)?
                    $(, nullable $nullable:literal +)?
                    $(, tag $tag:literal)?
                    $(, else $refuse:ident)?
                ])? $(= $default:expr)?
            ),* $(,)?
        }
    )*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[$about_field])*
                #[doc = concat!("\n\nIn every served version", $(" from ", $from, $(" to ", $to,)?)? ".")]
                pub $field: $type,
            )*
        }

        impl $name {
            $(
                #[expect(non_upper_case_globals, reason = "a row has its field's name")]
                const $field: $crate::kafka::table::Field =
                    $crate::kafka::table::Field::new(concat!(stringify!($name), ".", stringify!($field)))
                        $(.from($from) $(.to($to))? $(.nullable($nullable))? $(.tagged($tag))? $(.$refuse())?)?;
            )*
        }

        const _: () = assert!(
            $crate::kafka::table::well_formed(&[$($name::$field),*]),
            "versions in order, tags rising"
        );

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::kafka::table::default_of!($type $(, $default)?)),* }
            }
        }

        impl $crate::kafka::primitives::Wire for $name {
            fn bytes_min(form: $crate::kafka::table::Form) -> usize {
                let mut bytes = usize::from(form.flexible);
                $(
                    if let Some(form) = Self::$field.form_in_place(form) {
                        bytes += <$type as $crate::kafka::primitives::Wire>::bytes_min(form);
                    }
                )*
                bytes
            }

            fn decode(
                reader: &mut $crate::kafka::reader::Reader,
                form: $crate::kafka::table::Form,
            ) -> Result<Self, $crate::kafka::error::DecodeError> {
                let mut value = Self::default();
                $(
                    if let Some(form) = Self::$field.form_in_place(form) {
                        value.$field = reader.field(Self::$field.name, form)?;
                    }
                )*
                if form.flexible {
                    reader.tagged_fields(stringify!($name), |_reader, tag| match tag {
                        $($($(
                            $tag => match Self::$field.form(form) {
                                None => Ok(false),
                                Some(form) => {
                                    value.$field = _reader.field(Self::$field.name, form)?;
                                    Ok(true)
                                }
                            },
                        )?)?)*
                        _ => Ok(false),
                    })?;
                }
                Ok(value)
            }

            fn encode(
                &self,
                sink: &mut $crate::kafka::sink::Sink,
                form: $crate::kafka::table::Form,
            ) -> Result<(), $crate::kafka::error::EncodeError> {
                $(
                    if let Some(form) = Self::$field.form_in_place(form) {
                        sink.field(Self::$field.name, &self.$field, form)?;
                    } else if Self::$field.refuses(form)
                        && self.$field != $crate::kafka::table::default_of!($type $(, $default)?)
                    {
                        return Err($crate::kafka::error::EncodeError {
                            field: Self::$field.name,
                            problem: $crate::kafka::error::EncodeProblem::NotInVersion { version: form.version },
                        });
                    }
                )*
                if form.flexible {
                    #[allow(unused_mut, reason = "most structs have no tagged field")]
                    let mut tagged = $crate::kafka::sink::TaggedFields::default();
                    $($($(
                        if let Some(form) = Self::$field.form(form)
                            && self.$field != Self::default().$field
                        {
                            tagged.add($tag, Self::$field.name, &self.$field, form)?;
                        }
                    )?)?)*
                    sink.put_tagged_fields(tagged);
                }
                Ok(())
            }

            fn sample(
                entropy: &mut $crate::kafka::sample::Entropy<'_>,
                form: $crate::kafka::table::Form,
            ) -> Self {
                let mut value = Self::default();
                $(
                    // A tagged field is left out half of the time.
                    if let Some(form) = Self::$field.form(form)
                        && (Self::$field.tag.is_none() || entropy.below(2) == 1)
                    {
                        value.$field = $crate::kafka::primitives::Wire::sample(entropy, form);
                    }
                )*
                value
            }
        }
    )*};
}

pub(super) use {default_of, message};
