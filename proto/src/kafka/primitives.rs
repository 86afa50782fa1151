//! The types that stand in tables, each with its bytes: integers, text, bytes, ids, arrays. Flexible versions write
//! lengths in compact form. Everything is big-endian.

use super::{
    error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem},
    error_code::ErrorCode,
    reader::{Reader, STRING_BYTES_MAX},
    sample::Entropy,
    sink::Sink,
    table::Form,
};
use bytes::Bytes;
use uuid::Uuid;

/// A type with bytes in a version.
pub trait Wire: Sized {
    /// The fewest bytes that a value has: what an array's count is held against.
    fn bytes_min(form: Form) -> usize;

    /// Reads a value.
    fn decode(reader: &mut Reader, form: Form) -> Result<Self, DecodeError>;

    /// Writes the value.
    fn encode(&self, sink: &mut Sink, form: Form) -> Result<(), EncodeError>;

    /// A value that can be written in this form, made from `entropy`; tests and fuzz bodies round-trip it.
    fn sample(entropy: &mut Entropy<'_>, form: Form) -> Self;
}

/// A type whose bytes can also say null. Whether a version allows that is the form's affair.
pub(super) trait Nullable: Sized {
    /// The fewest bytes: those of null.
    fn null_bytes(form: Form) -> usize;

    fn decode_nullable(reader: &mut Reader, form: Form) -> Result<Option<Self>, DecodeError>;

    fn encode_nullable(value: Option<&Self>, sink: &mut Sink, form: Form) -> Result<(), EncodeError>;

    fn sample_value(entropy: &mut Entropy<'_>, form: Form) -> Self;
}

impl<T: Nullable> Wire for Option<T> {
    fn bytes_min(form: Form) -> usize {
        T::null_bytes(form)
    }

    fn decode(reader: &mut Reader, form: Form) -> Result<Self, DecodeError> {
        match T::decode_nullable(reader, form)? {
            None if !form.nullable => Err(reader.error(DecodeProblem::Null)),
            value => Ok(value),
        }
    }

    fn encode(&self, sink: &mut Sink, form: Form) -> Result<(), EncodeError> {
        match self {
            None if !form.nullable => Err(sink.error(EncodeProblem::Null)),
            value => T::encode_nullable(value.as_ref(), sink, form),
        }
    }

    fn sample(entropy: &mut Entropy<'_>, form: Form) -> Self {
        (!form.nullable || entropy.below(4) > 0).then(|| T::sample_value(entropy, form))
    }
}

/// What can be null and is not here is written and read as what can be.
macro_rules! never_null {
    ($([$($generic:tt)*] $type:ty),*) => {$(
        impl $($generic)* Wire for $type {
            fn bytes_min(form: Form) -> usize {
                <Self as Nullable>::null_bytes(form)
            }

            fn decode(reader: &mut Reader, form: Form) -> Result<Self, DecodeError> {
                let value = <Self as Nullable>::decode_nullable(reader, form)?;
                value.ok_or_else(|| reader.error(DecodeProblem::Null))
            }

            fn encode(&self, sink: &mut Sink, form: Form) -> Result<(), EncodeError> {
                <Self as Nullable>::encode_nullable(Some(self), sink, form)
            }

            fn sample(entropy: &mut Entropy<'_>, form: Form) -> Self {
                <Self as Nullable>::sample_value(entropy, form)
            }
        }
    )*};
}

never_null!([] String, [] Bytes, [<T: Wire>] Vec<T>);

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn bytes_min(_: Form) -> usize {
                size_of::<Self>()
            }

            fn decode(reader: &mut Reader, _: Form) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(reader.array()?))
            }

            fn encode(&self, sink: &mut Sink, _: Form) -> Result<(), EncodeError> {
                sink.put(&self.to_be_bytes());
                Ok(())
            }

            fn sample(entropy: &mut Entropy<'_>, _: Form) -> Self {
                match entropy.below(8) {
                    1 => -1,
                    2 => Self::MIN,
                    3 => Self::MAX,
                    _ => Self::from_be_bytes(entropy.array()),
                }
            }
        }
    )*};
}

integers!(i8, i16, i32, i64);

impl Wire for bool {
    fn bytes_min(_: Form) -> usize {
        1
    }

    fn decode(reader: &mut Reader, _: Form) -> Result<Self, DecodeError> {
        let [byte] = reader.array()?;
        Ok(byte != 0)
    }

    fn encode(&self, sink: &mut Sink, _: Form) -> Result<(), EncodeError> {
        sink.put(&[u8::from(*self)]);
        Ok(())
    }

    fn sample(entropy: &mut Entropy<'_>, _: Form) -> Self {
        entropy.below(2) == 1
    }
}

impl Wire for ErrorCode {
    fn bytes_min(form: Form) -> usize {
        i16::bytes_min(form)
    }

    fn decode(reader: &mut Reader, form: Form) -> Result<Self, DecodeError> {
        i16::decode(reader, form).map(Self::from_number)
    }

    fn encode(&self, sink: &mut Sink, form: Form) -> Result<(), EncodeError> {
        self.number().encode(sink, form)
    }

    fn sample(entropy: &mut Entropy<'_>, form: Form) -> Self {
        Self::from_number(i16::sample(entropy, form))
    }
}

impl Wire for Uuid {
    fn bytes_min(_: Form) -> usize {
        16
    }

    fn decode(reader: &mut Reader, _: Form) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(reader.array()?))
    }

    fn encode(&self, sink: &mut Sink, _: Form) -> Result<(), EncodeError> {
        sink.put(self.as_bytes());
        Ok(())
    }

    fn sample(entropy: &mut Entropy<'_>, _: Form) -> Self {
        Self::from_bytes(entropy.array())
    }
}

impl Nullable for String {
    fn null_bytes(form: Form) -> usize {
        if form.flexible { 1 } else { 2 }
    }

    fn decode_nullable(reader: &mut Reader, form: Form) -> Result<Option<Self>, DecodeError> {
        let length = if form.flexible { reader.compact_length()? } else { reader.short_length()? };
        length.map(|length| reader.string(length)).transpose()
    }

    fn encode_nullable(value: Option<&Self>, sink: &mut Sink, form: Form) -> Result<(), EncodeError> {
        let length = value.map(Self::len);
        match length {
            Some(length) if length > STRING_BYTES_MAX => return Err(sink.too_long(length, STRING_BYTES_MAX)),
            length if form.flexible => sink.put_compact_length(length)?,
            length => sink.put_short_length(length)?,
        }
        sink.put(value.map(String::as_bytes).unwrap_or_default());
        Ok(())
    }

    fn sample_value(entropy: &mut Entropy<'_>, _: Form) -> Self {
        entropy.text()
    }
}

impl Nullable for Bytes {
    fn null_bytes(form: Form) -> usize {
        if form.flexible { 1 } else { 4 }
    }

    fn decode_nullable(reader: &mut Reader, form: Form) -> Result<Option<Self>, DecodeError> {
        let length = if form.flexible { reader.compact_length()? } else { reader.long_length()? };
        length.map(|length| reader.slice(length)).transpose()
    }

    fn encode_nullable(value: Option<&Self>, sink: &mut Sink, form: Form) -> Result<(), EncodeError> {
        put_long_length(value.map(Self::len), sink, form)?;
        if let Some(value) = value {
            sink.put_bytes(value.clone());
        }
        Ok(())
    }

    fn sample_value(entropy: &mut Entropy<'_>, _: Form) -> Self {
        entropy.bytes()
    }
}

impl<T: Wire> Nullable for Vec<T> {
    fn null_bytes(form: Form) -> usize {
        if form.flexible { 1 } else { 4 }
    }

    fn decode_nullable(reader: &mut Reader, form: Form) -> Result<Option<Self>, DecodeError> {
        let count = if form.flexible { reader.compact_length()? } else { reader.long_length()? };
        let Some(count) = count else { return Ok(None) };
        let form = form.not_null();
        // At least one byte each, or a count would cost its sender nothing.
        let element_bytes_min = T::bytes_min(form).max(1);
        let remaining_bytes = reader.remaining();
        if count > remaining_bytes / element_bytes_min {
            let problem = DecodeProblem::CountBeyondEnd { count, element_bytes_min, remaining_bytes };
            return Err(reader.error(problem));
        }
        reader.charge(count.saturating_mul(size_of::<T>()))?;
        let mut elements = Self::with_capacity(count);
        for _ in 0..count {
            elements.push(T::decode(reader, form)?);
        }
        Ok(Some(elements))
    }

    fn encode_nullable(value: Option<&Self>, sink: &mut Sink, form: Form) -> Result<(), EncodeError> {
        put_long_length(value.map(Self::len), sink, form)?;
        value.into_iter().flatten().try_for_each(|element| element.encode(sink, form.not_null()))
    }

    fn sample_value(entropy: &mut Entropy<'_>, form: Form) -> Self {
        (0..entropy.below(4)).map(|_| T::sample(entropy, form.not_null())).collect()
    }
}

fn put_long_length(length: Option<usize>, sink: &mut Sink, form: Form) -> Result<(), EncodeError> {
    if form.flexible { sink.put_compact_length(length) } else { sink.put_long_length(length) }
}

/// A struct that may be null: a byte says whether it is there.
macro_rules! nullable_struct {
    ($name:ty) => {
        impl $crate::kafka::primitives::Nullable for $name {
            fn null_bytes(_: $crate::kafka::table::Form) -> usize {
                1
            }

            fn decode_nullable(
                reader: &mut $crate::kafka::reader::Reader,
                form: $crate::kafka::table::Form,
            ) -> Result<Option<Self>, $crate::kafka::error::DecodeError> {
                let presence: i8 = $crate::kafka::primitives::Wire::decode(reader, form)?;
                if presence < 0 {
                    return Ok(None);
                }
                $crate::kafka::primitives::Wire::decode(reader, form.not_null()).map(Some)
            }

            fn encode_nullable(
                value: Option<&Self>,
                sink: &mut $crate::kafka::sink::Sink,
                form: $crate::kafka::table::Form,
            ) -> Result<(), $crate::kafka::error::EncodeError> {
                let Some(value) = value else {
                    sink.put(&[0xff]);
                    return Ok(());
                };
                sink.put(&[1]);
                $crate::kafka::primitives::Wire::encode(value, sink, form.not_null())
            }

            fn sample_value(
                entropy: &mut $crate::kafka::sample::Entropy<'_>,
                form: $crate::kafka::table::Form,
            ) -> Self {
                $crate::kafka::primitives::Wire::sample(entropy, form.not_null())
            }
        }
    };
}

pub(super) use nullable_struct;
