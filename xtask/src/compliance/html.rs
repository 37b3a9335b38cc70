//! The matrix as one page that needs nothing else.

use std::fmt::Write as _;

use super::matrix::{names, word};
use super::report::Report;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1c2024;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #e4e7eb;vertical-align:top}\
td.s{white-space:nowrap;font-variant-numeric:tabular-nums}.ok{color:#17663a}.bad{color:#a3180f;font-weight:600}\
.gap{color:#8a5a00}.no{color:#7a828a}small{color:#5b636b}\
@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#14171a}th,td{border-color:#2c3238}.ok{color:#5fce8f}.bad{color:#ff8a80}.gap{color:#f0b95c}}";

/// The page.
pub(super) fn page(reports: &[Report], still: &[String], holes: &[String], code: u8) -> String {
    let mut out = String::new();
    let verdict = if code == 0 { "compliant" } else { "not compliant" };
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Compliance: {verdict}</title>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
         <h1>Compliance: {verdict}</h1>"
    );
    overview(reports, &mut out);
    problems(still, holes, &mut out);
    behaviours(reports, &mut out);
    mutants(reports, &mut out);
    figures(reports, &mut out);
    out.push_str("</body></html>\n");
    out
}

fn overview(reports: &[Report], out: &mut String) {
    out.push_str("<table><tr><th>exchange<th>passed<th>failed<th>errors<th>timeouts<th>known gaps<th>not claimed<th>broken adapters noticed<th>began<th>took</tr>");
    for report in reports {
        let caught = report.mutants.iter().filter(|mutant| mutant.caught).count();
        let _ = write!(out, "<tr><td>{}", escaped(&report.exchange));
        for status in ["PASSED", "FAILED", "ERROR", "TIMEOUT", "KNOWN_GAP", "SKIPPED"] {
            let _ = write!(out, "<td>{}", report.count(status));
        }
        let _ = write!(
            out,
            "<td>{caught} of {}<td>{}<td>{:.1} s</tr>",
            report.mutants.len(),
            escaped(&report.start_time),
            report.duration_ms / 1_000.0
        );
    }
    out.push_str("</table>");
}

fn problems(still: &[String], holes: &[String], out: &mut String) {
    if still.is_empty() && holes.is_empty() {
        return;
    }
    out.push_str("<h2>Problems</h2><ul>");
    for problem in still.iter().chain(holes) {
        let _ = write!(out, "<li class=\"bad\">{}</li>", escaped(problem));
    }
    out.push_str("</ul>");
}

fn behaviours(reports: &[Report], out: &mut String) {
    let mut theme = String::new();
    for name in names(reports) {
        let rows: Vec<_> = reports.iter().map(|report| report.row(&name)).collect();
        let Some(first) = rows.iter().flatten().next() else { continue };
        if first.theme != theme {
            if !theme.is_empty() {
                out.push_str("</table>");
            }
            theme.clone_from(&first.theme);
            let _ = write!(out, "<h2>{}</h2><table><tr><th>behaviour<th>kind<th>faults", escaped(&theme));
            for report in reports {
                let _ = write!(out, "<th>{}", escaped(&report.exchange));
            }
            out.push_str("</tr>");
        }
        let short = name.split("::").last().unwrap_or_default().replace('_', " ");
        let _ = write!(
            out,
            "<tr><td>{}<br><small>{}</small><td class=\"s\"><small>{}</small><td><small>{}</small>",
            escaped(&short),
            escaped(&first.expected_behavior),
            escaped(&first.test_category),
            escaped(&first.catalogue_rows)
        );
        for row in rows {
            let status = row.map_or("MISSING", |row| row.status.as_str());
            let class = match status {
                "PASSED" => "ok",
                "SKIPPED" => "no",
                "KNOWN_GAP" => "gap",
                _ => "bad",
            };
            let _ = write!(out, "<td class=\"s {class}\">{}", escaped(word(status)));
            if let Some(row) = row.filter(|row| row.status != "SKIPPED") {
                let _ = write!(out, " <small>{:.0} ms</small>", row.duration_ms);
            }
            if let Some(why) = row.and_then(|row| row.error_message.as_deref()) {
                let _ = write!(out, "<br><small>{}</small>", escaped(why));
            }
        }
        out.push_str("</tr>");
    }
    if !theme.is_empty() {
        out.push_str("</table>");
    }
}

fn mutants(reports: &[Report], out: &mut String) {
    out.push_str("<h2>Broken adapters</h2><table><tr><th>exchange<th>broken so<th>noticed by<th></tr>");
    for report in reports {
        for mutant in &report.mutants {
            let (class, word) = if mutant.caught { ("ok", "caught") } else { ("bad", "MISSED") };
            let _ = write!(
                out,
                "<tr><td>{}<td>{}<br><small>{}</small><td>{}<td class=\"{class}\">{word}</tr>",
                escaped(&report.exchange),
                escaped(&mutant.mutant),
                escaped(&mutant.says),
                escaped(&mutant.caught_by)
            );
        }
    }
    out.push_str("</table>");
}

fn figures(reports: &[Report], out: &mut String) {
    out.push_str(
        "<h2>Figures and thresholds</h2><table><tr><th>exchange<th>figure<th>measured<th>at most</tr>",
    );
    for report in reports {
        for figure in &report.thresholds {
            let _ = write!(
                out,
                "<tr><td>{}<td>{}<td>{:.1}<td>{:.0}</tr>",
                escaped(&report.exchange),
                escaped(&figure.name),
                figure.value,
                figure.at_most
            );
        }
    }
    out.push_str("</table>");
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compliance::report::Row;

    #[test]
    fn what_an_exchange_said_is_shown_and_never_run() {
        let row = Row {
            test_name: "orders::a_b".to_owned(),
            test_category: "COMPLIANCE".to_owned(),
            theme: "orders".to_owned(),
            catalogue_rows: String::new(),
            status: "FAILED".to_owned(),
            duration_ms: 1.0,
            expected_behavior: "Something.".to_owned(),
            error_message: Some("<script>alert('x')</script>".to_owned()),
        };
        let report = Report { test_results: vec![row], ..Report::unreachable("any") };
        let page = page(&[report], &[], &["a & b".to_owned()], 1);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{page}");
        assert!(page.contains("a &amp; b") && page.contains("not compliant"));
        assert!(
            !page.contains("http://") && !page.contains("https://") && !page.contains("src="),
            "self-contained"
        );
    }
}
