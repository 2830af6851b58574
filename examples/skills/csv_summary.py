"""Describes a table before anyone works with it: columns, types, gaps, ranges."""

import csv
import io
import statistics


def csv_summary(data, delimiter=None, sample=3):
    """Describes a CSV text with a header line.

    Args:
        data: The CSV text.
        delimiter: The character between fields; found out when not given.
        sample: How many distinct values of a text column to show.

    Returns:
        A dict with `rows` and `columns`. A column has `name`, `type` (`integer`, `number`, `text` or `empty`), `missing`,
        `distinct`; a column of numbers `min`, `max`, `mean` and `median`; a text column `examples`.

    Raises:
        ValueError: There is no header, or a row has another number of fields than it.
    """
    rows = list(csv.reader(io.StringIO(data.lstrip("\ufeff")), delimiter=delimiter or _delimiter(data)))
    rows = [row for row in rows if any(field.strip() for field in row)]
    if not rows:
        raise ValueError("there is no header line")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise ValueError("row %d has %d fields, and the header has %d" % (number, len(row), len(header)))
    columns = [_column(name, [row[at].strip() for row in body], sample) for at, name in enumerate(header)]
    return {"rows": len(body), "columns": columns}


def _delimiter(data):
    first = data.lstrip("\ufeff").partition("\n")[0]
    return max(",;\t|", key=first.count)


def _column(name, fields, sample):
    values = [field for field in fields if field]
    column = {"name": name, "missing": len(fields) - len(values), "distinct": len(set(values))}
    numbers = [_number(value) for value in values]
    if not values:
        column["type"] = "empty"
    elif None in numbers:
        column["type"] = "text"
        column["examples"] = list(dict.fromkeys(values))[:sample]
    else:
        column["type"] = "integer" if all(isinstance(number, int) for number in numbers) else "number"
        column["min"], column["max"] = min(numbers), max(numbers)
        column["mean"], column["median"] = round(statistics.fmean(numbers), 6), statistics.median(numbers)
    return column


def _number(text):
    # `int` and `float` take more than a table means by a number: `1_000`, `nan`, `infinity`.
    if not text.lstrip("+-")[:1].isdigit() or "_" in text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return None
