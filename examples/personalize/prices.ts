// What a visitor of a country sees. The rates are fixed here; a shop reads its own.

export interface Currency {
  code: string;
  rate: number; // for one US dollar
  language: string;
  greeting: string;
}

const EURO = { code: "EUR", rate: 0.92 };
const DEFAULT: Currency = { code: "USD", rate: 1, language: "en-US", greeting: "Welcome" };

const CURRENCIES: Record<string, Currency> = {
  AU: { code: "AUD", rate: 1.52, language: "en-AU", greeting: "G'day" },
  BR: { code: "BRL", rate: 5.4, language: "pt-BR", greeting: "Bem-vindo" },
  DE: { ...EURO, language: "de-DE", greeting: "Willkommen" },
  FR: { ...EURO, language: "fr-FR", greeting: "Bienvenue" },
  GB: { code: "GBP", rate: 0.79, language: "en-GB", greeting: "Welcome" },
  JP: { code: "JPY", rate: 150, language: "ja-JP", greeting: "ようこそ" },
};

export function currencyOf(country: string | undefined): Currency {
  return country !== undefined && Object.hasOwn(CURRENCIES, country) ? CURRENCIES[country] : DEFAULT;
}

export function price(usd: number, { code, rate, language }: Currency): string {
  return new Intl.NumberFormat(language, { style: "currency", currency: code }).format(usd * rate);
}
