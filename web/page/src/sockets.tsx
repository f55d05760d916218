import { Fragment } from "preact";
import { seconds } from "./format";
import { t } from "./language";
import type { Table } from "./model";
import { at, run } from "./store";

/** The socket table of every host, as ss prints it, at the time of the cursor. */
export function Sockets() {
  const r = run.value;
  if (!r) return null;
  return (
    <section class="panel sockets" aria-label={t("sockets")}>
      <h2>{t("sockets")}</h2>
      {r.model.hosts.map((h) => (
        <HostTable key={h.name} host={h.name} table={latest(r.model.sockets, h.name, at.value)} />
      ))}
    </section>
  );
}

/** The table of a host after an event. */
function latest(tables: Table[], host: string, event: number): Table | undefined {
  return tables.findLast((x) => x.host === host && x.event <= event + 1);
}

function HostTable({ host, table }: { host: string; table?: Table }) {
  const rows = table?.rows ?? [];
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={`${t("sockets")}: ${host}`}>
      <table>
        <caption>
          {host}$ ss -tan{rows.length === 0 ? `: ${t("noSockets")}` : "o"}
        </caption>
        {rows.length > 0 && (
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Recv-Q</th>
              <th scope="col">Send-Q</th>
              <th scope="col">Local</th>
              <th scope="col">Peer</th>
            </tr>
          </thead>
        )}
        <tbody>
          {rows.map((s, i) => (
            <Fragment key={i}>
              <tr>
                <td>{s.state}</td>
                <td class="number">{s.recv_q}</td>
                <td class="number">{s.send_q}</td>
                <td>{s.local}</td>
                <td>{s.peer}</td>
              </tr>
              {s.timer && (
                // A line of its own: with a column for it the table would be wider than its panel.
                <tr>
                  <td colSpan={5} class="timer">
                    timer:({s.timer}, @{seconds(s.expires ?? 0)} s)
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </tbody>
      </table>
      {table?.more ? (
        <p class="faint">
          + {table.more} {t("more")}
        </p>
      ) : null}
    </div>
  );
}
