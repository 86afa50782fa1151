//! The nearest known name to one that is not known.

/// The name most like `wanted`, if one is near enough that it may have been meant.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A similarity below this is a coincidence: with "orders" it takes in "order" and "odrers", not "others".
    const SIMILARITY_MIN: f64 = 0.7;
    let wanted = wanted.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_name_and_strangers_do_not() {
        let known = ["orders", "payments", "order-events"];
        for typed in ["order", "odrers", "Orders", "orders1"] {
            assert_eq!(nearest(typed, known), Some("orders"), "{typed}");
        }
        assert_eq!(nearest("paiments", known), Some("payments"));
        assert_eq!(nearest("clicks", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("orders", []), None);
    }
}
