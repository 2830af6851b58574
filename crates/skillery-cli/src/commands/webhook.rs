//! `skillery notifications webhook`: addresses that are called.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::api::{CreateWebhookRequest, DeliveryState, UpdateWebhookRequest, Webhook};
use skillery_core::{Namespace, NotificationKind};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, left, right};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `notifications webhook`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery notifications webhook add https://hooks.example.org/skills
  skillery notifications webhook add https://example.org --namespace acme --kind approval-asked
  skillery notifications webhook test 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
pub(crate) struct WebhookArgs {
    #[command(subcommand)]
    command: WebhookCommand,
}

#[derive(Debug, Subcommand)]
enum WebhookCommand {
    /// Have an address called, with requests that are signed as Standard Webhooks say
    #[command(after_help = "\
Examples:
  skillery notifications webhook add https://hooks.example.org/skills
  skillery notifications webhook add https://example.org --namespace acme --kind approval-asked

The secret that requests are signed with is shown this once.")]
    Add {
        /// Where to: `https://`, or `http://` into a network that the operator allows
        url: String,
        /// Of what happens in this namespace and below, for its admins [default: of what you are told of]
        #[arg(long)]
        namespace: Option<Namespace>,
        /// Only of this kind (repeatable)
        #[arg(long = "kind", value_name = "KIND")]
        kinds: Vec<NotificationKind>,
    },
    /// List your webhooks, or those of a namespace
    #[command(after_help = "\
Examples:
  skillery notifications webhook list
  skillery notifications webhook list --namespace acme --json | jq -r '.webhooks[].url'")]
    List {
        /// Those of this namespace
        #[arg(long)]
        namespace: Option<Namespace>,
    },
    /// Call an address no more
    #[command(after_help = "\
Examples:
  skillery notifications webhook remove 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
    Remove {
        /// The webhook's id
        id: String,
    },
    /// Switch a webhook on again that was switched off
    #[command(after_help = "\
Examples:
  skillery notifications webhook enable 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
    Enable {
        /// The webhook's id
        id: String,
    },
    /// Switch a webhook off
    #[command(after_help = "\
Examples:
  skillery notifications webhook disable 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
    Disable {
        /// The webhook's id
        id: String,
    },
    /// Send a request that tells of nothing
    #[command(after_help = "\
Examples:
  skillery notifications webhook test 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
    Test {
        /// The webhook's id
        id: String,
    },
    /// List what was sent to a webhook, and what is waiting or dead
    #[command(after_help = "\
Examples:
  skillery notifications webhook deliveries 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11 --state dead")]
    Deliveries {
        /// The webhook's id
        id: String,
        /// Only what is `waiting`, `done` or `dead`
        #[arg(long)]
        state: Option<DeliveryState>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Send again what is dead
    #[command(after_help = "\
Examples:
  skillery notifications webhook redeliver 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
    Redeliver {
        /// The webhook's id
        id: String,
        /// Only this delivery
        delivery: Option<String>,
    },
}

#[derive(Debug, Serialize)]
struct Removed<'a> {
    id: &'a str,
    removed: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &WebhookArgs) -> CommandResult {
    let client = session.client()?;
    match &args.command {
        WebhookCommand::Add { url, namespace, kinds } => {
            let request =
                CreateWebhookRequest { url: url.clone(), namespace: namespace.clone(), kinds: kinds.clone() };
            let made = client.add_webhook(&request).await?;
            session.output.show(&made, |page| {
                describe(page, &made.webhook);
                page.field("secret", &made.secret);
                page.field("", "shown this once");
            })?;
        }
        WebhookCommand::List { namespace } => {
            let found = client.webhooks(namespace.as_ref()).await?;
            session.output.show(&found, |page| {
                if found.webhooks.is_empty() {
                    page.text("no webhooks");
                    return;
                }
                let mut grid = Grid::new(&[left("ID"), left("STATE"), left("KINDS"), left("URL")]);
                for webhook in &found.webhooks {
                    grid.row([&webhook.id, state(webhook), &kinds_of(webhook), &webhook.url]);
                }
                page.grid(grid);
            })?;
        }
        WebhookCommand::Remove { id } => {
            client.remove_webhook(id).await?;
            session.output.show(&Removed { id, removed: true }, |page| {
                page.line(Line::default().toned(Tone::Good, "removed ").name(id));
            })?;
        }
        WebhookCommand::Enable { id } | WebhookCommand::Disable { id } => {
            let enabled = Some(matches!(args.command, WebhookCommand::Enable { .. }));
            let request = UpdateWebhookRequest { enabled, ..UpdateWebhookRequest::default() };
            let webhook = client.update_webhook(id, &request).await?;
            session.output.show(&webhook, |page| describe(page, &webhook))?;
        }
        WebhookCommand::Test { id } => {
            let made = client.test_webhook(id).await?;
            session.output.show(&made, |page| page.field("delivery", &made.delivery))?;
            session.output.note(
                Line::default()
                    .plain("what becomes of it: ")
                    .command(format!("skillery notifications webhook deliveries {id}")),
            );
        }
        WebhookCommand::Deliveries { id, state, page } => {
            let found = client.deliveries(id, *state, page.page()).await?;
            session.output.show(&found, |out| {
                if found.deliveries.is_empty() {
                    out.text("nothing was sent");
                    return;
                }
                let mut grid = Grid::new(&[
                    left("ID"),
                    left("KIND"),
                    left("STATE"),
                    right("TRIED"),
                    right("STATUS"),
                    left("ERROR"),
                ]);
                for one in &found.deliveries {
                    let status = one.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
                    let tried = one.attempts.to_string();
                    let error = one.error.as_deref().unwrap_or("-");
                    grid.row([&one.id, &one.kind, one.state.as_str(), &tried, &status, error]);
                }
                out.grid(grid);
            })?;
            page.note(session, found.deliveries.len(), found.total);
        }
        WebhookCommand::Redeliver { id, delivery } => {
            let again = client.redeliver(id, delivery.clone()).await?;
            session.output.show(&again, |page| page.text(format!("{} sent again", again.redelivered)))?;
        }
    }
    Ok(Exit::Done)
}

fn state(webhook: &Webhook) -> &'static str {
    match (webhook.disabled_at, webhook.failing_since) {
        (Some(_), _) => "off",
        (None, Some(_)) => "failing",
        (None, None) => "on",
    }
}

fn kinds_of(webhook: &Webhook) -> String {
    match webhook.kinds.as_slice() {
        [] => "all".to_owned(),
        kinds => kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn describe(page: &mut Page, webhook: &Webhook) {
    page.field("id", &webhook.id);
    page.field("url", &webhook.url);
    page.field("of", webhook.namespace.as_deref().unwrap_or("what you are told of"));
    page.field("kinds", kinds_of(webhook));
    page.field("state", state(webhook));
}
