//! Numbers that mean the same to every parser.

use std::fmt;

/// A JSON number whose literal denotes exactly the shortest decimal of its double.
///
/// `0.1`, `50.00` and `1e3` are such numbers. `9007199254740993` (the double is …992), `1e400`
/// (infinite) and `-0` are not: a parser that keeps doubles would hand the tool another number than
/// one that keeps decimals.
#[derive(Clone, Debug)]
pub struct Number {
    value: f64,
    decimal: Decimal,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.decimal == other.decimal
    }
}

impl Eq for Number {}

/// ± digits × 10^exponent, with neither leading nor trailing zeros in `digits`; zero has no digits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Number {
    /// Reads a literal that already matches JSON's number grammar; `None` if a double changes it.
    pub(crate) fn from_literal(literal: &str) -> Option<Self> {
        let value: f64 = literal.parse().ok()?;
        if !value.is_finite() {
            return None;
        }
        let decimal = Decimal::read(literal)?;
        // The shortest decimal by ECMAScript's rules: where two are equally short and near, Rust's own
        // formatting may choose the other one.
        let shortest = Decimal::read(ryu_js::Buffer::new().format_finite(value))?;
        (decimal == shortest).then_some(Self { value, decimal })
    }

    /// The integer, if a double holds it exactly (|n| ≤ 2⁵³).
    pub fn from_integer(integer: i64) -> Option<Self> {
        const SAFE: u64 = 1 << 53;
        (integer.unsigned_abs() <= SAFE).then(|| Self::from_literal(&integer.to_string())).flatten()
    }

    /// The double.
    pub fn as_f64(&self) -> f64 {
        self.value
    }

    /// The number × 10^`scale`, if that is an integer that fits 64 bits; never rounded.
    ///
    /// `scale` 0 reads an integer (`1.0` is one), 4 a Cedar decimal, 2 an amount in cents.
    pub fn scaled(&self, scale: u32) -> Option<i64> {
        let shift = self.decimal.exponent.checked_add(i64::from(scale))?;
        if self.decimal.digits.is_empty() {
            return Some(0);
        }
        let zeros = u32::try_from(shift).ok()?;
        let digits: i128 = self.decimal.digits.parse().ok()?;
        let magnitude = digits.checked_mul(10_i128.checked_pow(zeros)?)?;
        let signed = if self.decimal.negative { magnitude.checked_neg()? } else { magnitude };
        i64::try_from(signed).ok()
    }
}

impl fmt::Display for Number {
    /// The ECMAScript form that RFC 8785 prescribes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ryu_js::Buffer::new().format_finite(self.value))
    }
}

impl Decimal {
    /// `None` for −0 and for exponents beyond 64 bits.
    fn read(literal: &str) -> Option<Self> {
        let (negative, magnitude) = match literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return (!negative).then(|| Self { negative, digits: String::new(), exponent: 0 });
        }
        let dropped = i64::try_from(significant.len().checked_sub(digits.len())?).ok()?;
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        Some(Self { negative, digits: digits.to_owned(), exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn accepts_literals_that_a_double_keeps() {
        for literal in [
            "0",
            "0.0",
            "0e999999999999999999",
            "1",
            "-1",
            "50.00",
            "1e3",
            "1E+2",
            "0.1",
            "1.5e-7",
            "9007199254740992",
            "1424953923781206.2",
            "5e-324",
            "1.7976931348623157e308",
            "100000000000000000000",
        ] {
            assert!(Number::from_literal(literal).is_some(), "{literal}");
        }
    }

    #[test]
    fn refuses_literals_that_a_double_changes() {
        for literal in [
            "-0",
            "-0.0",
            "-0e5",
            "9007199254740993",
            "0.1000000000000000055",
            "1e400",
            "1e-400",
            "12345678901234567890",
            "1424953923781206.3",
            "0.30000000000000004441",
            "3e99999999999999999999",
        ] {
            assert!(Number::from_literal(literal).is_none(), "{literal}");
        }
    }

    #[test]
    fn scales_exactly_or_not_at_all() {
        let scaled = |literal, scale| Number::from_literal(literal).and_then(|n| n.scaled(scale));
        assert_eq!(scaled("50.00", 4), Some(500_000));
        assert_eq!(scaled("99.99999", 4), None);
        assert_eq!(scaled("-5", 0), Some(-5));
        assert_eq!(scaled("1.0", 0), Some(1));
        assert_eq!(scaled("1e18", 0), Some(1_000_000_000_000_000_000));
        assert_eq!(scaled("1e19", 0), None);
        assert_eq!(scaled("0e7", 2), Some(0));
        assert_eq!(scaled("1e300", 0), None);
        assert_eq!(scaled("-9223372036854775808", 0), None, "the double's shortest decimal is another number");
    }
}
