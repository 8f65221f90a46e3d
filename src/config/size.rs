//! Sizes as people write them: `"64KiB"`, `"128MiB"`, `"20GB"`.

/// Largest first.
const UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a size: a whole number and one of `B KB MB GB KiB MiB GiB`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    UNITS
        .iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))
        .filter(|(number, _)| number.trim_end().bytes().all(|b| b.is_ascii_digit()))
        .and_then(|(number, bytes)| number.trim_end().parse::<u64>().ok()?.checked_mul(*bytes))
        .ok_or_else(|| {
            format!(
                "`{text}` is no size: write a number and a unit, such as \"64KiB\", \"1MiB\" or \"20GB\""
            )
        })
}

/// Writes a size in the largest unit in which it is a whole number, so that [`parse_size`] reads it again.
pub(super) fn format_size(bytes: u64) -> String {
    let (unit, size) = UNITS
        .iter()
        .filter(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size))
        .max_by_key(|(_, size)| *size)
        .unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_written_size_reads_back_as_itself(bytes in any::<u64>()) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,20}") {
            let _ = parse_size(&text);
        }
    }

    #[test]
    fn sizes_are_read_in_both_families_of_units() {
        for (text, bytes) in [
            ("1B", 1),
            ("1KB", 1_000),
            ("1 KiB", 1_024),
            ("128MiB", 134_217_728),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn text_without_a_unit_or_with_an_unknown_one_is_refused() {
        for wrong in [
            "",
            "1",
            "B",
            "-1B",
            "+1B",
            "1.5MB",
            "1TB",
            "99999999999999999999B",
            "99999999999GiB",
        ] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
