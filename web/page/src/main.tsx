import { render } from "preact";
import { getAbout } from "./api";
import { Graphs } from "./graphs";
import { Inspector } from "./inspector";
import { Interventions } from "./intervene";
import { Keys, listenToKeys } from "./keys";
import { Ladder } from "./ladder";
import { t } from "./language";
import { Setup } from "./setup";
import { Share } from "./share";
import { Sockets } from "./sockets";
import { States } from "./states";
import { Results, StepPanel } from "./step";
import { start } from "./store";
import { Transport } from "./transport";
import "./style.css";

function Page() {
  return (
    <>
      <a class="skip" href="#transport">
        {t("skip")}
      </a>
      <Setup />
      <main>
        <div class="left">
          <StepPanel />
          <Ladder />
        </div>
        <div class="sides">
          <div class="side">
            <States />
            <Graphs />
          </div>
          <div class="side">
            <Interventions />
            <Sockets />
            <Inspector />
            <Results />
            <Share />
            <Keys />
          </div>
        </div>
      </main>
      <Transport />
    </>
  );
}

/** Asks what there is to play, again and again until the server answers. */
async function begin() {
  const page = document.getElementById("page")!;
  for (;;) {
    try {
      start(await getAbout());
      break;
    } catch (e) {
      page.textContent = `${(e as Error).message} …`;
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
  page.textContent = "";
  listenToKeys();
  render(<Page />, page);
}

void begin();
